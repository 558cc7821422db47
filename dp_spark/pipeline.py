"""All stages of a run in order; a run that failed goes on after its last complete stage."""

import hashlib
import json
import logging

from dp_spark.config import PipelineConfig
from dp_spark.end_model.preflight import check_cluster
from dp_spark.errors import ConfigError, DpSparkError, MissingResultError
from dp_spark.run import Run, load_lfs
from dp_spark.session import stage
from dp_spark.stages import STAGES, run_evaluate
from dp_spark.storage import publish, refuse_existing

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"  # what the results of a directory were made from
NUM_END_MODEL_CLASSES = 2
_MAY_RESUME = "the stages before it are complete: correct the cause and pass --resume"
_OLDER_KEPT = "the older results are as they were: correct the cause and run again"


def run_pipeline(run: Run, *, resume: bool = False) -> dict[str, object]:
    """Run all stages and return the metrics.

    A new run writes its results to the directory one by one, as they are complete. With `run.overwrite`,
    the old results stay until the new ones are all there.

    Args:
        run: the run; its directory must not be there yet, unless it overwrites or resumes.
        resume: go on after the complete stages of an earlier run with the same configuration and LFs.

    Raises:
        OutputExistsError: if the directory is there.
        EnvironmentProblem: if the training workers do not fit on the cluster; before anything is computed.
        ConfigError: if the LFs cannot be loaded or vote for more than two classes, or if they or the
            configuration changed since the run that is to be resumed.
        DpSparkError: whatever a stage raises.
    """
    if resume:
        _check_same_run(run)
    else:
        refuse_existing(run.storage, run.directory, run.overwrite)
    _check_config(run.config)
    check_cluster(run.spark, run.config.end_model.num_workers)
    if resume:
        return _run_stages(run)
    if not run.storage.exists(run.directory) or run.storage.is_empty_directory(run.directory):
        return _run_stages(run)
    with publish(run.storage, run.directory, overwrite=True) as staged:
        return _run_stages(Run(run.storage, run.config, staged), if_failed=_OLDER_KEPT)


def _run_stages(run: Run, if_failed: str = _MAY_RESUME) -> dict[str, object]:
    run.storage.write_text(run.path(RUN_FILE), json.dumps(_made_from(run.config), indent=2) + "\n")
    seconds: dict[str, float] = {}
    for name, (function, output) in STAGES.items():
        if run.storage.exists(run.path(output)):
            logger.info("skipped %s: %s is there", name, output)
            continue
        try:
            with stage(run.spark, name, seconds):
                function(run) if function is not run_evaluate else run_evaluate(run, seconds)
        except DpSparkError:
            logger.error("stage %s failed; %s", name, if_failed)
            raise
    metrics: dict[str, object] = json.loads(run.storage.read_text(run.path("metrics.json")))
    return metrics


def _check_config(config: PipelineConfig) -> None:
    """Find before any work what would stop a later stage."""
    load_lfs(config)
    if config.labeling.num_classes != NUM_END_MODEL_CLASSES:
        raise ConfigError(
            f"labeling.num_classes is {config.labeling.num_classes}: the end model is for two classes so "
            "far. Run the stages apply-lfs, count-votes, fit-label-model and label alone, or "
            "vote for one class "
            "against the rest."
        )


def _made_from(config: PipelineConfig) -> dict[str, object]:
    """What decides the results, apart from the rows of the table."""
    content = config.model_dump(mode="json", exclude={"output"})
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {"config": digest, "lfs": {lf.name: lf.content_hash for lf in load_lfs(config)}}


def _check_same_run(run: Run) -> None:
    if not run.storage.exists(run.path(RUN_FILE)):
        raise MissingResultError(
            f"{run.directory} holds no run to resume: {RUN_FILE} is not there. Run without --resume."
        )
    earlier = json.loads(run.storage.read_text(run.path(RUN_FILE)))
    now = _made_from(run.config)
    changed = [name for name in now if earlier.get(name) != now[name]]
    if changed:
        raise ConfigError(
            f"the {' and '.join(changed)} changed since the run in {run.directory}: its results cannot be "
            "continued. Start again with --overwrite, or choose another output."
        )
