"""All stages of a run in order; a run that failed goes on after its last complete stage."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace

from dp_spark.checks.before_work import BEFORE_WORK
from dp_spark.checks.checklist import Subject, raise_problems, run_checks
from dp_spark.checks.output import refuse_occupied_output, refuse_output_at_table
from dp_spark.config import EvaluationConfig
from dp_spark.errors import ConfigError, DpSparkError, MissingResultError
from dp_spark.evaluation import wanted_gold_end_model
from dp_spark.interruption import Interrupted
from dp_spark.publishing import (
    delete_leftovers,
    publish,
    refuse_foreign,
    unfinished_path,
    unfinished_workspace,
    workspace_of,
)
from dp_spark.reporting import is_report_current
from dp_spark.run import (
    Run,
    load_lfs,
    made_table,
    read_counts,
    read_end_model,
    read_labels,
    read_predictions,
    read_training_set,
)
from dp_spark.session import stage
from dp_spark.stage_names import ONLY_READER, OWN_NAMES, RUN_FILE
from dp_spark.stages import STAGES
from dp_spark.tracking import log_run

logger = logging.getLogger(__name__)

_NOTHING_YET = "no stage is complete yet: correct the cause and run again"
_MAY_RESUME = "the stages before it are complete: correct the cause and pass --resume"
_OLDER_KEPT = (
    "the older results are as they were: correct the cause and pass --resume to go on, or --overwrite to "
    "start again"
)
_KEPT = "the results of complete stages are kept"


# Which part of the configuration each of these stages reads first. Results of later stages depend on it too.
_FIRST_READER = {
    "table": "apply-lfs",
    "labeling": "apply-lfs",
    "lfs": "apply-lfs",
    "label_model.gold": "apply-lfs",  # which hides the column from labeling functions
    "table.cluster": "count-votes",
    "table.format": "apply-lfs",
    "table.schema": "apply-lfs",
    "label_model": "fit-label-model",
    "training_set": "write-shards",
    "end_model": "train-end-model",
    "evaluation": "evaluate",  # train-gold-model, too, but it may leave no result
}
# What these parts were in runs of versions that did not know them.
_ADDED: dict[str, object] = {
    "label_model.gold": None,
    "table.cluster": [],
    "table.format": None,
    "table.schema": None,
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


def run_pipeline(run: Run, *, resume: bool = False) -> dict[str, object]:
    """Run all stages, log the run where [tracking] says, and return the metrics.

    A new run writes its results to the directory one by one, as they are complete. With `run.overwrite`,
    the old results stay until the new ones are all there; if it fails, what is complete waits beside them for a
    run that resumes.

    Args:
        run: the run; its directory must hold no results yet, unless it overwrites or resumes.
        resume: go on after the complete stages of an earlier run with the same configuration and LFs.

    Raises:
        DpSparkError, ValueError: naming all that would stop a later stage, as far as it can be seen before any work.
        OutputExistsError: if the directory holds results and may not be replaced, or holds other files or
            the table.
        EnvironmentProblem: if the training workers do not fit on the cluster, or [tracking] asks for MLflow and it is
            not there; before anything is computed.
        ConfigError: if the LFs cannot be loaded, or if they or the configuration changed since the complete
            stages of the run that is to be resumed.
        DpSparkError: whatever a stage raises.
    """
    metrics = _run_pipeline(run, resume=resume)
    if run.seconds:  # else nothing is new, and the run was logged when it was
        try:
            log_run(run.storage, run.directory, run.config)
        except Interrupted as stopped:
            stopped.add_note("while the complete run was logged; `dp-spark log-mlflow` logs it anew")
            raise
    return metrics


def _run_pipeline(run: Run, *, resume: bool) -> dict[str, object]:
    if resume or run.overwrite:
        delete_leftovers(run.storage, run.directory)
    is_new = set(run.storage.list_names(run.directory)) <= {RUN_FILE}
    refuse_output_at_table(run.storage, run.config.table.path, run.directory)
    workspace = unfinished_workspace(run.storage, run.directory)
    if not resume:
        run.storage.delete(workspace)
    elif run.storage.exists(workspace):
        refuse_foreign(run.storage, run.directory, OWN_NAMES)
        return _replace(run, workspace, resume=True)
    if resume:
        _check_same_run(run)
    else:
        refuse_occupied_output(run.storage, run.directory, run.overwrite)
    _check_before_work(run)
    if resume or is_new:
        return _run_stages(run)
    return _replace(run, workspace)


def _replace(run: Run, workspace: str, *, resume: bool = False) -> dict[str, object]:
    """Run all stages beside older results, which they replace when all are complete."""
    with publish(run.storage, run.directory, overwrite=True, workspace=workspace) as staged:
        beside = replace(run, directory=staged, overwrite=False)
        if resume:
            delete_leftovers(run.storage, staged)
            _check_same_run(beside)
            _check_before_work(run)
            logger.info("going on with the run that was to replace %s", run.directory)
        return _run_stages(beside, if_failed=_OLDER_KEPT)


def _run_stages(run: Run, if_failed: str = _MAY_RESUME) -> dict[str, object]:
    run.storage.write_text(run.path(RUN_FILE), json.dumps(_made_from(run), indent=2) + "\n")
    for number, (name, (function, output)) in enumerate(STAGES.items()):
        if run.storage.exists(run.path(output)) and (name not in _IS_CURRENT or _IS_CURRENT[name](run)):
            if name in _CHECKED_READ:
                _CHECKED_READ[name](run)
            logger.info("skipped %s: %s is there", name, output)
            continue
        reader = STAGES[ONLY_READER[name]][1] if name in ONLY_READER else None
        if reader and run.storage.exists(run.path(reader)):
            logger.info("skipped %s: %s, which alone would read its result, is there", name, reader)
            continue
        try:
            with stage(run.spark, name, run.seconds):
                function(run)
        except DpSparkError:
            kept = _NOTHING_YET if number == 0 and if_failed == _MAY_RESUME else if_failed
            logger.error("stage %s failed; %s", name, kept)
            raise
        except KeyboardInterrupt as stopped:
            stopped.add_note(f"in stage {name} after {number} of {len(STAGES)} stages; {_KEPT}")
            raise
    metrics: dict[str, object] = json.loads(run.storage.read_text(run.path("metrics.json")))
    return metrics


def _check_before_work(run: Run) -> None:
    """Find before any work what would stop a later stage, and name all of it."""
    raise_problems(run_checks(BEFORE_WORK, Subject(run, made_table)))


def _made_from(run: Run) -> dict[str, object]:
    """What decides the results, apart from the rows of the table: a digest per part of the configuration."""
    content = run.config.model_dump(mode="json", exclude={"output", "tracking"})
    del content["label_model"]["tensorboard"]
    content["label_model.gold"] = content["label_model"].pop("gold")
    content["table.cluster"] = content["table"].pop("cluster")
    content["table.format"] = content["table"].pop("format")
    content["table.schema"] = content["table"].pop("ddl")
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


def refuse_other_run(run: Run) -> None:
    """Refuse to resume what is not there, or was made otherwise; computes and changes nothing.

    Raises:
        MissingResultError: if there is no run to resume.
        ConfigError: if the LFs or the configuration changed since its complete stages.
        OutputExistsError: if it was to replace a directory that holds files of others.
    """
    if not run.storage.exists(workspace_of(run.directory)):
        _check_same_run(run)
        return
    refuse_foreign(run.storage, run.directory, OWN_NAMES)
    _check_same_run(replace(run, directory=unfinished_path(run.directory)))


def _changed_lfs(earlier: dict[str, object], now: dict[str, object]) -> str:
    old, new = earlier.get("lfs"), now["lfs"]
    if not isinstance(old, dict) or not isinstance(new, dict) or old == new:
        return ""
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return f" (labeling functions {names})"
