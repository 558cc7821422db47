"""`dp-spark try`: what labeling functions do on a sample of the table."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dp_spark.checks.checklist import Subject
from dp_spark.commands.outcome import Outcome
from dp_spark.commands.sample import ROWS_PER_FILE, Sample, draw_sample, source_points
from dp_spark.counting.gold_counts import GoldCounts
from dp_spark.counting.summary import LFSummary, lf_summary
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.errors import ConfigError, DpSparkError
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.votes import Votes
from dp_spark.report.trial import MAX_TRIAL_ROWS, ROW, TRIAL_TIMEOUT_SECONDS, Trial, try_lfs
from dp_spark.run import Run, load_lfs
from dp_spark.tables import quoted

Keys = list[dict[str, object]]

NUM_ROWS = 200
_POSITION = re.compile(rf"\{{'{ROW}': (\d+)\}}")
_MAX_CHANGING = 5  # rows of which a problem names the position


def try_(
    run: Run,
    num_rows: int = NUM_ROWS,
    lf_names: Sequence[str] = (),
    check_determinism: bool = True,
    seed: int = 0,
    lf_timeout_seconds: float = TRIAL_TIMEOUT_SECONDS,
) -> Outcome:
    """Votes, errors and determinism of labeling functions on a sample of the table; writes nothing.

    Args:
        run: the run.
        num_rows: of the sample at most, 1 to MAX_TRIAL_ROWS.
        lf_names: which to try; all if it is empty.
        check_determinism: run them twice, and compare.
        seed: of the sample.
        lf_timeout_seconds: how long each may take for one row, or one batch.

    Raises:
        ValueError: if the number of rows is out of range.
        ConfigError: if the labeling functions cannot be loaded, or there are none of these names.
        MissingResultError: if the table is not there.
        SchemaError: if it is empty, or lacks a column that the configuration or a labeling function names.
    """
    if not 1 <= num_rows <= MAX_TRIAL_ROWS:
        raise ValueError(f"the number of rows is {num_rows}: expected 1 to {MAX_TRIAL_ROWS:,}.")
    lfs = _chosen(load_lfs(run), lf_names)
    sample = draw_sample(run, num_rows, seed)
    unusable, trial = _tried(run, sample, lfs, check_determinism, lf_timeout_seconds)
    usable = [lf for lf in lfs if lf.name not in unusable]
    summary = _summary(run, sample.rows, trial.votes, usable)
    keys = keys_of(sample, run.config.table.key)
    named = {name: with_keys(texts, keys) for name, texts in trial.problems.items()}
    problems = {**{name: [what] for name, what in unusable.items()}, **named}
    closing = _closing(trial, problems, keys, run)
    text = "\n".join([_heading(run, sample, summary, seed), "", str(summary), "", *closing])
    return Outcome(text, _content(run, sample, trial, summary, problems), not problems)


def _tried(
    run: Run,
    sample: Sample,
    lfs: list[LabelingFunction],
    check_determinism: bool,
    lf_timeout_seconds: float,
) -> tuple[dict[str, str], Trial]:
    """Why labeling functions cannot vote on this table at all, by name, and the trial of the others."""
    try:
        return {}, try_sample(run, sample, lfs, check_determinism, lf_timeout_seconds)
    except (DpSparkError, ValueError):
        names = [lf.name for lf in lfs]
        found = Subject(run, source_points).lf_problems
        unusable = {problem.where: problem.what for problem in found if problem.where in names}
        usable = [lf for lf in lfs if lf.name not in unusable]
        if not unusable or not usable:
            raise
    return unusable, try_sample(run, sample, usable, check_determinism, lf_timeout_seconds)


def try_sample(
    run: Run,
    sample: Sample,
    lfs: Sequence[LabelingFunction],
    check_determinism: bool,
    lf_timeout_seconds: float = TRIAL_TIMEOUT_SECONDS,
) -> Trial:
    """The trial of labeling functions on a sample, of which they do not see gold labels and split."""
    kept = [name for name in sample.rows.column_names if name not in run.hidden_columns]
    schema = sample.points.select(*map(quoted, kept)).schema
    return try_lfs(
        run.spark.createDataFrame(sample.rows.select(kept), schema),
        lfs,
        num_classes=run.config.labeling.classes.num_classes,
        class_names=run.config.labeling.class_names,
        lf_timeout_seconds=lf_timeout_seconds,
        check_determinism=check_determinism,
    )


def _chosen(lfs: list[LabelingFunction], names: Sequence[str]) -> list[LabelingFunction]:
    known = [lf.name for lf in lfs]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"there are no labeling functions {unknown}: expected some of {known}.")
    return [lf for lf in lfs if lf.name in names] if names else lfs


def _summary(run: Run, rows: pa.Table, votes: Votes, lfs: Sequence[LabelingFunction]) -> LFSummary:
    """The summary of the votes, with empirical accuracies where the sample has gold labels."""
    classes, column = run.config.labeling.classes, run.config.table.gold
    names = [lf.name for lf in lfs]
    counts = VoteCounts.from_votes(votes, classes.num_classes, names)
    if column is None:
        return lf_summary(counts, None, classes.names)
    gold = pc.fill_null(rows.column(column), 0).to_numpy().astype(np.int64)
    known = GoldCounts.from_votes(votes, gold, classes.num_classes, names)
    return lf_summary(counts, known if known.num_gold else None, classes.names)


def _heading(run: Run, sample: Sample, summary: LFSummary, seed: int) -> str:
    gold = f", {summary.num_gold} of them with gold labels" if summary.num_gold else ""
    files = f" of {sample.num_files} of {sample.num_files_of_table:,} files"
    drawn = (
        f"drawn by a hash of their keys (seed {seed}) from the first {ROWS_PER_FILE:,} rows"
        f"{files if sample.num_files_of_table > 1 else ''}"
    )
    return f"{sample.rows.num_rows:,} rows of {run.config.table.path}{gold}, {drawn}"


def _closing(trial: Trial, problems: Mapping[str, list[str]], keys: Keys, run: Run) -> list[str]:
    voted = (trial.votes != 0).any(axis=1)
    lines = [f"{voted.mean():.1%} of these rows have a vote."]
    silent = [row.name for row in trial.summary.rows if row.coverage == 0 and row.name not in problems]
    if silent:
        lines.append(f"Never voted here: {', '.join(silent)}.")
    told = [text for texts in problems.values() for text in texts]
    if not told:
        return [*lines, "No labeling function failed or changed its vote."]
    failing = [run.name for run in trial.runs if run.num_errors and run.kind != "preprocessor"]
    if failing:
        told.append(
            f"A run stops if a labeling function fails on more data points than its max_errors, or else "
            f"[labeling] max_lf_errors = {run.config.labeling.max_lf_errors}, allows."
        )
    changing = sorted({row for rows in trial.changing.values() for row in rows[:_MAX_CHANGING]})
    return [*lines, "", *told, *(f"Row {row} is {keys[row]}." for row in changing)]


def with_keys(texts: Sequence[str], keys: Keys) -> list[str]:
    """What is wrong, in words that name rows by their keys instead of by their positions in the sample.

    Args:
        texts: of the problems.
        keys: of the rows of the sample.
    """
    return [_POSITION.sub(lambda found: str(keys[int(found[1])]), text) for text in texts]


def keys_of(sample: Sample, key: Sequence[str]) -> Keys:
    """The values of the columns that identify each row of a sample."""
    return list(sample.rows.select(list(key)).to_pylist())


def _content(
    run: Run, sample: Sample, trial: Trial, summary: LFSummary, problems: Mapping[str, list[str]]
) -> dict[str, object]:
    errors = {lf_run.name: lf_run.num_errors for lf_run in trial.runs}
    lfs = [
        {
            **asdict(row),
            "polarity": [int(vote) for vote in row.polarity],
            "num_errors": errors.get(row.name),
            "problems": problems.get(row.name, []),
        }
        for row in summary.rows
    ]
    return {
        "table": run.config.table.path,
        "num_rows": sample.rows.num_rows,
        "num_gold": summary.num_gold,
        "num_files": sample.num_files,
        "num_files_of_table": sample.num_files_of_table,
        "share_with_a_vote": round(float((trial.votes != 0).any(axis=1).mean()), 6),
        "labeling_functions": lfs,
        "problems": {name: list(texts) for name, texts in problems.items()},
    }
