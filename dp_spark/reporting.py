"""The last stage of a run: the report of its results, and what of them is not there."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from dp_spark import __version__
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.errors import DpSparkError, MissingResultError
from dp_spark.iteration.label_classes import class_titles
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.votes import Classes
from dp_spark.report.assemble import facts_of
from dp_spark.report.drift import drift_of
from dp_spark.report.evaluated import Evaluated, metrics_digest
from dp_spark.report.label_histogram import count_labels
from dp_spark.report.lf_facts import lf_facts
from dp_spark.report.part_votes import count_part_votes
from dp_spark.report.parts import partition_columns, read_parts
from dp_spark.report.run_facts import ShownRow, Subject
from dp_spark.report.run_report import RunReport
from dp_spark.report.shown_rows import least_certain_rows, refuse_many_rows
from dp_spark.report.vote_facts import Drift, LFFacts
from dp_spark.run import (
    Run,
    points_there,
    publish_file,
    read_counts,
    read_end_model,
    read_label_model,
    read_labels,
    read_matrix,
)
from dp_spark.stage_names import METRICS, REPORT_NUMBERS, REPORT_PAGE

logger = logging.getLogger(__name__)

T = TypeVar("T")


def run_report(run: Run) -> None:
    """From all results to report.json and report.html."""
    publish_report(run, report_of(run))


def publish_report(run: Run, report: RunReport) -> None:
    """Write report.json, and then report.html; older ones, which hold nothing of their own, are replaced."""
    over = replace(run, overwrite=True)
    publish_file(over, REPORT_NUMBERS, report.to_json().encode())
    publish_file(over, REPORT_PAGE, report.to_html().encode())


def is_report_current(run: Run) -> bool:
    """Whether there is a whole report, and it was made from the metrics.json that is there.

    Raises:
        MissingResultError: if there is no metrics.json.
    """
    digest = metrics_digest(json.loads(run.storage.read_text(run.path(METRICS))))
    if not run.storage.exists(run.path(REPORT_PAGE)):
        return False
    try:
        numbers = json.loads(run.storage.read_text(run.path(REPORT_NUMBERS)))
    except (MissingResultError, ValueError):  # damaged, or from an earlier version: it is made again
        return False
    return isinstance(numbers, dict) and numbers.get("metrics_digest") == digest


def report_of(run: Run, show_rows: int = 0) -> RunReport:
    """The report of the results that are there: at least the label matrix and its vote counts.

    Args:
        run: the run.
        show_rows: how many rows of the data to show, the least certain labels first.

    Raises:
        MissingResultError: if there is no label matrix, or no vote counts of it.
        ValueError: if `show_rows` is negative or too large.
    """
    refuse_many_rows(show_rows)
    counts, matrix = read_counts(run), read_matrix(run)
    class_names = class_titles(Classes(matrix.num_classes, matrix.class_names))
    model, no_model = _or_why(lambda: _label_model_of(run, counts))
    labels, no_labels = _or_why(lambda: count_labels(read_labels(run)[0], class_names))
    found, no_metrics = _or_why(lambda: _metrics_of(run, model))
    history, no_history = _or_why(lambda: read_end_model(run).history)
    drift, no_drift = _or_why(lambda: _drift(run, matrix, class_names))
    rows = _rows(run, show_rows, class_names) if labels else ()
    notes = dict.fromkeys(note for note in (no_model, no_labels, no_metrics, no_history, no_drift) if note)
    subject = Subject(
        table=run.config.table.path,
        num_data_points=counts.num_data_points,
        classes=class_names,
        label_model=model.model if model else None,
        label_model_id=model.model_id if model else None,
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
    )
    facts = facts_of(
        subject,
        counts,
        matrix.lf_runs,
        model,
        labels,
        found or Evaluated.nothing(),
        drift,
        configured_model=run.config.label_model.model,
        is_gold_of_fit=run.config.label_model.gold == run.config.table.gold is not None,
    )
    return RunReport(replace(facts, training=history or (), rows=rows, notes=tuple(notes)))


def lf_facts_of(run: Run) -> tuple[tuple[LFFacts, ...], int, tuple[str, ...]]:
    """What is known of the labeling functions, the number of data points, and what is not known and why.

    Args:
        run: at least its label matrix and vote counts are there.

    Raises:
        MissingResultError: if there is no label matrix, or no vote counts of it.
    """
    counts, matrix = read_counts(run), read_matrix(run)
    model, no_model = _or_why(lambda: _label_model_of(run, counts))
    found, no_metrics = _or_why(lambda: _metrics_of(run, model))
    gold_votes = found.gold_votes if found else {}
    lfs = lf_facts(
        counts,
        class_titles(Classes(matrix.num_classes, matrix.class_names)),
        matrix.lf_runs,
        model,
        gold_votes,
    )
    return lfs, counts.num_data_points, tuple(note for note in (no_model, no_metrics) if note)


def _or_why(read: Callable[[], T]) -> tuple[T | None, str]:
    """What is read, or None and why it is not there."""
    try:
        return read(), ""
    except MissingResultError as problem:
        return None, str(problem)


def _label_model_of(run: Run, counts: VoteCounts) -> LabelModel:
    model = read_label_model(run)
    if (model.lf_names, model.lf_hashes) != (counts.lf_names, counts.lf_hashes):
        raise MissingResultError(
            "label_model.json was fitted on votes of other labeling functions: run `fit-label-model --overwrite` and "
            "the stages after it again."
        )
    return model


def _metrics_of(run: Run, model: LabelModel | None) -> Evaluated:
    metrics = json.loads(run.storage.read_text(run.path(METRICS)))
    if model is None or metrics["label_model_id"] != model.model_id:
        raise MissingResultError(
            f"{METRICS} was made from an earlier label_model.json: run `evaluate --overwrite`."
        )
    return Evaluated.of(metrics)


def _drift(run: Run, matrix: LabelMatrix, class_names: tuple[str, ...]) -> Drift | None:
    """How votes differ between parts of the table; None if there are not two.

    Raises:
        MissingResultError: whatever keeps them from being read: that is no reason to lose the rest of a report.
    """
    try:
        columns = partition_columns(run.storage, run.config.table.path)
        parts = read_parts(matrix, points_there(run) if columns else None, columns)
        if parts is None:
            return None
        votes = count_part_votes(parts.rows, len(parts.names), len(matrix.lf_names), len(class_names))
    except (DpSparkError, PySparkException, Py4JJavaError) as problem:
        logger.warning("left the drift out of the report", exc_info=True)
        why = str(problem).partition("\n")[0]
        raise MissingResultError(
            f"How votes differ between parts of the table is not known: {why}"
        ) from problem
    return drift_of(votes, parts.by, parts.names, matrix.lf_names, class_names)


def _rows(run: Run, num_rows: int, class_names: tuple[str, ...]) -> tuple[ShownRow, ...]:
    if num_rows == 0:
        return ()
    labels, points = read_labels(run)[0], points_there(run)
    return least_certain_rows(labels, points, run.config.table.key, class_names, num_rows)
