"""`dp-spark suggest`: where to write the next LF."""

from collections.abc import Sequence
from dataclasses import asdict

from dp_spark.commands.bounds import refuse_bad_maximum
from dp_spark.commands.outcome import Outcome
from dp_spark.errors import ConfigError
from dp_spark.iteration.conflicting_pairs import conflicting_pairs
from dp_spark.iteration.focus import Focus, Search
from dp_spark.iteration.label_classes import LabeledVotes
from dp_spark.iteration.suggestions import Suggestions, suggest_values
from dp_spark.iteration.suggestions_text import suggestions_text
from dp_spark.run import Run, points_there, read_counts, read_label_model, read_matrix
from dp_spark.tables import quoted, refuse_missing_columns

MAX_COLUMNS, MAX_PER_COLUMN, MAX_PAIRS = 100, 100, 10


def suggest(
    run: Run,
    *,
    focus: Focus = "uncovered",
    columns: Sequence[str] = (),
    max_confidence: float = Search.max_confidence,
    min_rows: int = Search.min_rows,
    max_per_column: int = Search.max_per_column,
    max_rows: int = Search.max_rows,
) -> Outcome:
    """What rows share that no LF votes on, that LFs disagree on, or whose label is uncertain; pairs in conflict.

    Gold labels and the split are never looked at.

    Args:
        run: a run whose label model is fitted.
        focus: "uncovered", "conflicts" or "uncertain".
        columns: of the table to look at; by default all that hold texts, numbers or booleans, at most MAX_COLUMNS.
        max_confidence: with "uncertain": covered rows whose most probable class is less probable than this.
        min_rows: in focus, that a value must have.
        max_per_column: how many values of a column to suggest; 1 to MAX_PER_COLUMN.
        max_rows: of a larger table a sample of about so many rows is looked at.

    Raises:
        ConfigError: if `columns` names gold labels or the split.
        MissingResultError: if label matrix, vote counts or label model are not there.
        SchemaError: if a column is not there.
        ValueError: if a number is out of range.
    """
    refuse_bad_maximum("max_per_column", max_per_column, MAX_PER_COLUMN, least=1)
    _refuse_bad_numbers(max_rows, min_rows, max_confidence)
    found = LabeledVotes(read_matrix(run), read_label_model(run))
    points = points_there(run)
    refuse_missing_columns(points, {"--column": columns}, run.config.table.path)
    looked_at = _columns(run, points.columns, columns)
    search = Search(focus, max_confidence, min_rows, max_per_column, max_rows)
    wanted = points.select(*map(quoted, dict.fromkeys([*found.matrix.key, *looked_at])))
    suggestions = suggest_values(found, wanted, looked_at[:MAX_COLUMNS], search)
    pairs = conflicting_pairs(read_counts(run), MAX_PAIRS)
    basis = _basis(run, suggestions, search, looked_at[MAX_COLUMNS:])
    content = {**suggestions.to_dict(), "conflicting_pairs": [asdict(pair) for pair in pairs], "basis": basis}
    return Outcome(suggestions_text(suggestions, pairs, basis), content)


def _refuse_bad_numbers(max_rows: int, min_rows: int, max_confidence: float) -> None:
    if max_rows < 1 or min_rows < 1 or not 0 < max_confidence <= 1:
        raise ValueError(
            f"max_rows is {max_rows}, min_rows {min_rows}, max_confidence {max_confidence}: expected at least 1, at "
            "least 1, and a probability above 0."
        )


def _columns(run: Run, all_columns: Sequence[str], chosen: Sequence[str]) -> list[str]:
    hidden = run.hidden_columns
    wrong = [name for name in chosen if name in hidden]
    if wrong:
        raise ConfigError(
            f"columns names {wrong}, which holds gold labels or the split: suggestions are never made from these, "
            "since a labeling function could not see them. Name other columns."
        )
    return list(dict.fromkeys(chosen)) or [
        c for c in all_columns if c not in (*hidden, *run.config.table.key)
    ]


def _basis(run: Run, found: Suggestions, search: Search, too_many: Sequence[str]) -> list[str]:
    """What the suggestions are based on, and what was left out, one sentence each."""
    names = [column.name for column in found.columns]
    rows = "all rows" if found.sample_rate >= 1 else f"a sample of {100 * found.sample_rate:.2g}% of the rows"
    hidden = run.hidden_columns
    lines = [
        f"based on {rows}, the votes, the label model's labels and the columns {names}; no gold labels are used"
        + (f" ({hidden} are not looked at)" if hidden else ""),
        f"shown are values that at least {search.min_rows} rows in focus have, over-represented by at least "
        f"{search.min_z:g} standard errors (z), and of each column the {search.max_per_column} with the largest z; "
        "many values are compared, so that some are there by chance; (+2) means two more tokens on the very same rows",
    ]
    if found.left_out:
        lines.append(f"left out: {list(found.left_out)}, which hold neither texts nor numbers nor booleans")
    if too_many:
        lines.append(f"left out: {list(too_many)}, beyond {MAX_COLUMNS} columns: name the columns to look at")
    return lines
