"""The checks that a run makes before any work, and `dp-spark validate` makes too."""

import functools
from collections.abc import Iterator

from pyspark.sql import DataFrame
from pyspark.sql.types import IntegralType

from dp_spark.checks.checklist import Check, Problem, Subject, refusals
from dp_spark.checks.columns import (
    gold_columns,
    refuse_no_rows,
    refuse_other_columns,
    refuse_other_gold_values,
    refuse_other_inputs,
    refuse_other_splits,
    refuse_other_weight,
    refuse_reserved_key_names,
)
from dp_spark.checks.settings import named_lfs_refusals, reference_refusals, settings_refusals
from dp_spark.end_model.preflight import check_cluster
from dp_spark.labeling.apply import checked_lfs
from dp_spark.tracking import refuse_missing_mlflow

TABLE, COLUMNS, LFS = "table", "columns", "labeling functions"
FUNCTIONS = "functions of the end model"


def _settings(subject: Subject) -> list[Problem]:
    config = subject.run.config
    return [
        *refusals(settings_refusals(config)),
        *refusals({"table.key": lambda: refuse_reserved_key_names(config)}),
    ]


def _lfs(subject: Subject) -> list[Problem]:
    return refusals({"labeling": lambda: checked_lfs(subject.lfs)})


def _named_lfs(subject: Subject) -> list[Problem]:
    return refusals(named_lfs_refusals(subject.run.config, [lf.name for lf in subject.lfs]))


def _functions(subject: Subject) -> list[Problem]:
    return refusals(reference_refusals(subject.run.config))


def _table(subject: Subject) -> list[Problem]:
    return refusals({"table.path": lambda: refuse_no_rows(subject.points, subject.run.config.table.path)})


def _columns(subject: Subject) -> list[Problem]:
    config, points, weight = subject.run.config, subject.points, subject.run.config.training_set.weight
    return refusals(
        {
            "table": lambda: refuse_other_columns(points, config),
            "training_set": lambda: refuse_other_inputs(points, config),
            "training_set.weight": lambda: refuse_other_weight(points, weight) if weight else None,
        }
    )


def _values(subject: Subject) -> Iterator[Problem]:
    config, points, split = subject.run.config, subject.points, subject.run.config.table.split
    for setting, name in gold_columns(config).items():
        if _has_integers(points, name):
            refusal = functools.partial(refuse_other_gold_values, points, config, setting, name)
            yield from refusals({setting: refusal})
    if split and split in points.columns:
        yield from refusals({"table.split": lambda: refuse_other_splits(points, split)})


def _has_integers(points: DataFrame, name: str) -> bool:
    return name in points.columns and isinstance(points.schema[name].dataType, IntegralType)


def _cluster(subject: Subject) -> list[Problem]:
    num_workers = subject.run.config.end_model.num_workers
    return refusals({"end_model.num_workers": lambda: check_cluster(subject.run.spark, num_workers)})


def _tracking(subject: Subject) -> list[Problem]:
    asks_for_it = subject.run.config.tracking.mlflow
    return refusals({"tracking.mlflow": refuse_missing_mlflow}) if asks_for_it else []


BEFORE_WORK = (
    Check("settings that go together", _settings),
    Check(LFS, _lfs),
    Check("settings that name labeling functions", _named_lfs, (LFS,)),
    Check(FUNCTIONS, _functions),
    Check("slots for the training workers", _cluster),
    Check("tracking", _tracking),
    Check(TABLE, _table),
    Check(COLUMNS, _columns, (TABLE,)),
    Check("gold labels and splits", _values, (TABLE,)),
)
