"""All stages of a run in order; a run that failed goes on after its last complete stage."""

import hashlib
import json
import logging
from collections.abc import Callable

from dp_spark.config import EvaluationConfig
from dp_spark.end_model.preflight import check_cluster
from dp_spark.errors import ConfigError, DpSparkError, MissingResultError, OutputExistsError, SchemaError
from dp_spark.evaluation import wanted_gold_end_model
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.inputs import refuse_unusable_inputs
from dp_spark.references import resolve_reference
from dp_spark.reporting import REPORT_NUMBERS, is_report_current
from dp_spark.run import (
    GOLD_TRAINING_SET,
    Run,
    load_lfs,
    read_counts,
    read_end_model,
    read_labels,
    read_points,
    read_predictions,
    read_training_set,
)
from dp_spark.session import stage
from dp_spark.stages import RESULT_NAMES, STAGES
from dp_spark.storage import publish, refuse_existing, refuse_foreign, unfinished_workspace
from dp_spark.tables import quoted

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"  # what the results of a directory were made from
OWN_NAMES = RESULT_NAMES | {RUN_FILE, GOLD_TRAINING_SET, REPORT_NUMBERS}

_MAY_RESUME = "the stages before it are complete: correct the cause and pass --resume"
_OLDER_KEPT = (
    "the older results are as they were: correct the cause and pass --resume to go on, or --overwrite to "
    "start again"
)
_MAX_SPLITS_SHOWN = 20

# Which part of the configuration each of these stages reads first. Results of later stages depend on it too.
_FIRST_READER = {
    "table": "apply-lfs",
    "labeling": "apply-lfs",
    "lfs": "apply-lfs",
    "label_model.gold": "apply-lfs",  # which hides the column from labeling functions
    "table.cluster": "count-votes",
    "label_model": "fit-label-model",
    "training_set": "write-shards",
    "end_model": "train-end-model",
    "evaluation": "evaluate",  # train-gold-model, too, but it may leave no result
}
# What these parts were in runs of versions that did not know them.
_ADDED: dict[str, object] = {
    "label_model.gold": None,
    "table.cluster": [],
    "evaluation": EvaluationConfig().model_dump(mode="json"),
}
# How to read a result so that it is refused if it was made from an earlier version of another one.
_CHECKED_READ: dict[str, Callable[[Run], object]] = {
    "count-votes": read_counts,
    "label": read_labels,
    "write-shards": read_training_set,
    "train-end-model": read_end_model,
    "predict": read_predictions,
    "train-gold-model": wanted_gold_end_model,
}
# Results that no stage reads: one that was made from an earlier version of another result is made again.
_IS_CURRENT: dict[str, Callable[[Run], bool]] = {"report": is_report_current}
# Stages that may leave no result, and the stage that would read it.
_ONLY_READER = {"train-gold-model": "evaluate"}


def run_pipeline(run: Run, *, resume: bool = False) -> dict[str, object]:
    """Run all stages and return the metrics.

    A new run writes its results to the directory one by one, as they are complete. With `run.overwrite`,
    the old results stay until the new ones are all there; if it fails, what is complete waits beside them for a
    run that resumes.

    Args:
        run: the run; its directory must hold no results yet, unless it overwrites or resumes.
        resume: go on after the complete stages of an earlier run with the same configuration and LFs.

    Raises:
        OutputExistsError: if the directory holds results and may not be replaced, or holds other files or
            the table.
        EnvironmentProblem: if the training workers do not fit on the cluster; before anything is computed.
        ConfigError: if the LFs cannot be loaded, or if they or the configuration changed since the complete
            stages of the run that is to be resumed.
        DpSparkError: whatever a stage raises.
    """
    is_new = set(run.storage.list_names(run.directory)) <= {RUN_FILE}
    _refuse_output_at_table(run)
    workspace = unfinished_workspace(run.storage, run.directory)
    if not resume:
        run.storage.delete(workspace)
    elif run.storage.exists(workspace):
        refuse_foreign(run.storage, run.directory, OWN_NAMES)
        return _replace(run, workspace, resume=True)
    if resume:
        _check_same_run(run)
    elif not is_new:
        refuse_existing(run.storage, run.directory, run.overwrite)
        refuse_foreign(run.storage, run.directory, OWN_NAMES)
    _check_before_work(run)
    if resume or is_new:
        return _run_stages(run)
    return _replace(run, workspace)


def _replace(run: Run, workspace: str, *, resume: bool = False) -> dict[str, object]:
    """Run all stages beside older results, which they replace when all are complete."""
    with publish(run.storage, run.directory, overwrite=True, workspace=workspace) as staged:
        beside = Run(run.storage, run.config, staged, lfs=run.lfs)
        if resume:
            _check_same_run(beside)
            _check_before_work(run)
            logger.info("going on with the run that was to replace %s", run.directory)
        return _run_stages(beside, if_failed=_OLDER_KEPT)


def _run_stages(run: Run, if_failed: str = _MAY_RESUME) -> dict[str, object]:
    run.storage.write_text(run.path(RUN_FILE), json.dumps(_made_from(run), indent=2) + "\n")
    for name, (function, output) in STAGES.items():
        if run.storage.exists(run.path(output)) and (name not in _IS_CURRENT or _IS_CURRENT[name](run)):
            if name in _CHECKED_READ:
                _CHECKED_READ[name](run)
            logger.info("skipped %s: %s is there", name, output)
            continue
        reader = STAGES[_ONLY_READER[name]][1] if name in _ONLY_READER else None
        if reader and run.storage.exists(run.path(reader)):
            logger.info("skipped %s: %s, which alone would read its result, is there", name, reader)
            continue
        try:
            with stage(run.spark, name, run.seconds):
                function(run)
        except DpSparkError:
            logger.error("stage %s failed; %s", name, if_failed)
            raise
    metrics: dict[str, object] = json.loads(run.storage.read_text(run.path("metrics.json")))
    return metrics


def _check_before_work(run: Run) -> None:
    """Find before any work what would stop a later stage: LFs, model, columns, splits, cluster."""
    config = run.config
    load_lfs(run)
    for reference in config.end_model.settings().references:
        resolve_reference(reference)
    points, inputs = read_points(run), config.training_set
    columns = InputColumns.of(inputs.features, inputs.text, inputs.categories)
    refuse_unusable_inputs(points, columns)
    if config.table.split:
        values = points.select(quoted(config.table.split)).distinct().limit(_MAX_SPLITS_SHOWN)
        found = sorted(str(row[0]) for row in values.collect())  # at most _MAX_SPLITS_SHOWN values
        if "train" not in found:
            raise SchemaError(
                f"table.split: the column {config.table.split!r} holds {found}: expected 'train' for the "
                "rows to train on and 'test' for those to judge by. Recode it, or leave table.split out."
            )
    check_cluster(run.spark, config.end_model.num_workers)


def _refuse_output_at_table(run: Run) -> None:
    """Refuse an output that is, holds, or lies in the table: replacing one would delete the other."""
    table, output = (
        run.storage.qualified(path).rstrip("/") for path in (run.config.table.path, run.directory)
    )
    if f"{table}/".startswith(f"{output}/") or f"{output}/".startswith(f"{table}/"):
        raise OutputExistsError(
            f"the output {run.directory} and the table {run.config.table.path} lie in each other: expected "
            "two places apart. Choose another output."
        )


def _made_from(run: Run) -> dict[str, object]:
    """What decides the results, apart from the rows of the table: a digest per part of the configuration."""
    content = run.config.model_dump(mode="json", exclude={"output"})
    content["label_model.gold"] = content["label_model"].pop("gold")
    content["table.cluster"] = content["table"].pop("cluster")
    hashes = {lf.name: lf.content_hash for lf in load_lfs(run)}
    return {**{name: _digest(part) for name, part in content.items()}, "lfs": hashes}


def _digest(part: object) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()


def _check_same_run(run: Run) -> None:
    """Refuse to resume if a part of the configuration changed that a complete stage has read."""
    if not run.storage.exists(run.path(RUN_FILE)):
        raise MissingResultError(
            f"{run.directory} holds no run to resume: {RUN_FILE} is not there. Run without --resume."
        )
    earlier, now = json.loads(run.storage.read_text(run.path(RUN_FILE))), _made_from(run)
    earlier = {name: _digest(value) for name, value in _ADDED.items()} | earlier
    changed = [
        name
        for name, reader in _FIRST_READER.items()
        if earlier.get(name) != now[name] and run.storage.exists(run.path(STAGES[reader][1]))
    ]
    if changed:
        raise ConfigError(
            f"{' and '.join(f'[{name}]' for name in changed)} changed since the run in "
            f"{run.directory}{_changed_lfs(earlier, now)}: its results cannot be continued. Start again "
            "with --overwrite, or choose another output."
        )


def _changed_lfs(earlier: dict[str, object], now: dict[str, object]) -> str:
    old, new = earlier.get("lfs"), now["lfs"]
    if not isinstance(old, dict) or not isinstance(new, dict) or old == new:
        return ""
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return f" (labeling functions {names})"
