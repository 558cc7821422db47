"""`dp-spark diff RUN_A RUN_B`: what changed from one run to another, down to the rows whose label flipped.

Needs no configuration: what the two directories hold says which LFs, keys and classes there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from dp_spark.commands.bounds import refuse_bad_maximum
from dp_spark.commands.outcome import Outcome
from dp_spark.iteration.difference_text import difference_lines, flip_lines
from dp_spark.iteration.flips import Flips, count_flips, flipped_rows
from dp_spark.iteration.keys import times_as_text
from dp_spark.iteration.label_classes import LabeledVotes, class_titles
from dp_spark.iteration.plain_values import plain
from dp_spark.iteration.results import Results, read_results
from dp_spark.iteration.run_difference import RunDifference, run_difference
from dp_spark.iteration.sides import incomparable
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.publishing import refuse_existing
from dp_spark.storage import Storage
from dp_spark.tables import quoted, refuse_reserved_keys, write_table

FLIPS_KIND = "table of flipped rows"  # what its description calls a written one
MAX_KEYS = 1000  # that an outcome may show

_NUM_ALIKE = "num_alike"  # beside a row that stands for others that moved alike
_DIGITS = 9
_Sides = tuple[LabeledVotes, LabeledVotes]


def diff(
    storage: Storage,
    directory_a: str,
    directory_b: str,
    *,
    max_keys: int = 10,
    output: str | None = None,
    overwrite: bool = False,
) -> Outcome:
    """What changed from run A to run B: LFs, accuracies, scores, and the rows whose label flipped.

    Of runs that stopped early, what both have is compared; the label model's labels are computed from the votes,
    so that runs without a label table are compared, too.

    Args:
        storage: the file systems.
        directory_a: a run's directory.
        directory_b: another one's.
        max_keys: how many flipped rows to show, of those that moved alike one, those that moved furthest first; 0 to
            MAX_KEYS.
        output: a directory that gets all flipped rows as Parquet.
        overwrite: whether `output` may replace what is there.

    Raises:
        MissingResultError: if a directory holds no results of a run.
        OutputExistsError: if `output` is there and may not be replaced.
        ValueError: if `max_keys` is out of range, or a file in a directory is damaged.
    """
    refuse_bad_maximum("max_keys", max_keys, MAX_KEYS)
    if output:
        refuse_existing(storage, output, overwrite)
    before, after = (read_results(storage, directory) for directory in (directory_a, directory_b))
    found, sides = run_difference(before, after), _sides(before, after)
    labels = _LabelChanges.of(sides, max_keys, output, overwrite) if isinstance(sides, tuple) else None
    notes = [*_notes(before, after), *([sides] if isinstance(sides, str) else [])]
    if output and not (labels and labels.output):
        notes.append(f"{output} was not written: there are no flipped rows")
    is_different = found.is_different or (labels is not None and labels.flips.is_different)
    content = {"a": directory_a, "b": directory_b, "is_different": is_different, **found.to_dict()}
    content |= {"labels": labels.to_dict() if labels else None, "notes": notes}
    lines = [f"A: {directory_a}", f"B: {directory_b}", ""]
    lines += _lines(found, labels) if is_different else ["no difference"]
    lines += ["", *(f"note: {note}" for note in notes)] if notes else []
    return Outcome("\n".join(lines), content)


@dataclass(frozen=True)
class _LabelChanges:
    """How labels changed, the rows that moved furthest, and where all rows that flipped are, if they were written."""

    key: tuple[str, ...]
    titles: tuple[str, ...]
    flips: Flips
    sample: list[dict[str, object]]
    output: str | None

    @classmethod
    def of(cls, sides: _Sides, max_keys: int, output: str | None, overwrite: bool) -> "_LabelChanges":
        """Count them; with `output`, write them."""
        before, after = sides
        flips, rows, key = count_flips(before, after), flipped_rows(before, after), after.matrix.key
        written = output if flips.num_flipped else None
        if written:
            storage = Storage(after.matrix.df.sparkSession)
            description: dict[str, object] = {
                "label_model_before": before.model.model_id,
                "label_model_after": after.model.model_id,
            }
            write_table(
                rows, written, storage, kind=FLIPS_KIND, description=description, key=key, overwrite=overwrite
            )
            rows = storage.spark.read.parquet(written)
        sample = _furthest(rows, key, max_keys) if flips.num_flipped else []
        return cls(key, class_titles(after.classes), flips, sample, written)

    def to_dict(self) -> dict[str, object]:
        """The same as JSON has it."""
        return {**_flip_content(self.flips), "sample": self.sample, "output": self.output}


def _notes(before: Results, after: Results) -> list[str]:
    """What is missing, and what was left out."""
    neither = [name for name in before.missing if name in after.missing]
    lines = [f"neither run has {', '.join(neither)}"] if neither else []
    for side, other in ((before, after), (after, before)):
        only = [name for name in side.missing if name not in other.missing]
        lines += [f"{side.directory} has no {', '.join(only)}"] if only else []
        lines += side.notes
    return lines


def _sides(before: Results, after: Results) -> _Sides | str:
    """Both label matrices with their label models, or why there are no labels to compare."""
    sides = (before.labeled_votes, after.labeled_votes)
    if sides[0] is None or sides[1] is None:
        return "labels are not compared: that takes label_matrix and label_model.json of both runs"
    why = incomparable(sides[0].matrix, sides[1].matrix)
    return f"labels are not compared: {why}" if why else (sides[0], sides[1])


def _lines(found: RunDifference, labels: _LabelChanges | None) -> list[str]:
    lines = difference_lines(found, labels.titles if labels else ())
    if labels:
        lines += ["", *flip_lines(labels.flips, labels.sample, labels.key)]
        lines += ["", f"all flipped rows are in {labels.output}"] if labels.output else []
    return lines


def _furthest(rows: DataFrame, key: Sequence[str], num_moves: int) -> list[dict[str, object]]:
    """The moves that went furthest, each with a row that made it, the one with the smallest key, and how many did."""
    refuse_reserved_keys(key, (_NUM_ALIKE,))
    alike: list[str | Column] = ["label_before", "label_after"]
    alike += [_rounded(rows, f"prob_label_{side}") for side in ("before", "after")]
    smallest = F.min_by(F.struct(*map(quoted, rows.columns)), F.struct(*map(quoted, key))).alias("row")
    moves = (
        rows.groupBy(*alike).agg(smallest, F.count(F.lit(1)).alias(_NUM_ALIKE)).select("row.*", _NUM_ALIKE)
    )
    ordered = moves.orderBy(F.desc("moved"), *map(quoted, key)).limit(num_moves)
    with named_jobs(rows.sparkSession, "finding the rows that moved furthest"):
        found = times_as_text(ordered).collect()  # at most MAX_KEYS rows
    return [{name: plain(value) for name, value in row.asDict().items()} for row in found]


def _rounded(rows: DataFrame, name: str) -> Column:
    """Probabilities without the last digits, which depend on the batch that they were computed in."""
    if isinstance(rows.schema[name].dataType, ArrayType):
        return F.transform(name, lambda prob: F.round(prob, _DIGITS))
    return F.round(name, _DIGITS)


def _flip_content(flips: Flips) -> dict[str, object]:
    return {
        "num_both": flips.num_both,
        "num_only_a": flips.num_only_before,
        "num_only_b": flips.num_only_after,
        "num_flipped": flips.num_flipped,
        "num_became_covered": flips.num_became_covered,
        "num_became_uncovered": flips.num_became_uncovered,
        "num_of_votes": flips.num_of_votes,
        "changes": [{"before": old, "after": new, "num_rows": count} for old, new, count in flips.changes],
        "pushes": [vars(push) for push in flips.pushes],
        "class_balance_push": flips.class_balance_push,
        "num_covering": flips.num_covering,
        "num_uncovering": flips.num_uncovering,
    }
