"""A finished run in MLflow: parameters, metrics by step, models and files, from the run's directory.

It adds to the directory's results and replaces none of them. MLflow is an extra, loaded when a run is logged.
"""

import importlib.util
import json
import logging
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

import dp_spark
from dp_spark.config import PipelineConfig, TrackingConfig
from dp_spark.end_model.artifact import DESCRIPTION_FILE, HISTORY_TABLE, MODEL_FILE, History, load_end_model
from dp_spark.errors import EnvironmentProblem
from dp_spark.label_model.fit_path import fit_path
from dp_spark.label_model.model import LabelModel
from dp_spark.storage import Storage, join_path

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

MAX_LFS = 200  # whose numbers are metrics of their own; metrics.json, which is logged as it is, has all
MAX_VALUE_CHARACTERS = 6000  # of a parameter, as MLflow allows
_BATCH = {"metrics": 1000, "params": 100}  # what MLflow takes in one request
_FILES = ("run.json", "label_model.json", "metrics.json", "report.html", "report.json")
_LF_NUMBERS = ("coverage", "overlaps", "conflicts", "accuracy", "weight", "empirical_accuracy")

Point = tuple[str, float, int]  # name, value, step


def log_to_mlflow(
    storage: Storage,
    directory: str,
    *,
    uri: str | None = None,
    experiment: str | None = None,
    run_name: str | None = None,
    config: PipelineConfig | None = None,
) -> str:
    """Log a finished run to MLflow, and return the id of the MLflow run.

    Parameters are the configuration; metrics the numbers of metrics.json, the end model's history by epoch and the
    loss of the label model's fit by step; artifacts metrics.json, label_model.json, the report if it is there and the
    end model; tags say which label model and end model it is, and where the results lie.

    Args:
        storage: the file systems.
        directory: of the run.
        uri: of the tracking server or store; default: what MLflow's own variables say.
        experiment: its name, made if it is not there; default: what MLflow's own variables say.
        run_name: of the MLflow run.
        config: of the run.

    Raises:
        EnvironmentProblem: if MLflow is not installed.
        MissingResultError: if the run is not complete.
        Exception: what MLflow raises; the MLflow run is then marked as failed, where that is possible.
    """
    refuse_missing_mlflow()
    from mlflow.tracking import MlflowClient

    metrics = json.loads(storage.read_text(join_path(directory, "metrics.json")))
    label_model = LabelModel.from_json(storage.read_text(join_path(directory, "label_model.json")))
    end_model = load_end_model(storage, join_path(directory, "end_model"))
    points = [*_points(metrics), *_fit_points(label_model), *_history_points(end_model.history)]
    tags = {
        "dp_spark.version": dp_spark.__version__,
        "dp_spark.directory": without_credentials(storage.qualified(directory)),
        "dp_spark.label_model_id": label_model.model_id,
        "dp_spark.end_model_digest": end_model.digest,
    }
    client = MlflowClient(tracking_uri=uri)
    with _mlflow_run(client, experiment, run_name, tags) as run_id:
        _log_batches(client, run_id, points, {} if config is None else parameters(config))
        with tempfile.TemporaryDirectory() as local:
            _copy_files(storage, directory, Path(local))
            client.log_artifacts(run_id, local)
    return run_id


def log_run(storage: Storage, directory: str, config: PipelineConfig) -> None:
    """Log a run as its [tracking] asks; what goes wrong is a warning, as the run itself is complete."""
    tracking = config.tracking
    if not tracking.mlflow:
        return
    try:
        options = tracking.model_dump(exclude={"mlflow"})
        run_id = log_to_mlflow(storage, directory, config=config, **options)
    except Exception as problem:  # MLflow's stores, and the clients of artifact stores, raise what they like
        logger.warning(
            "the run was not logged to MLflow (%s): %s: %s. Its results in %s are complete: correct the cause and log "
            "it with `dp-spark log-mlflow`.",
            _place(tracking),
            type(problem).__name__,
            without_credentials(str(problem)),
            without_credentials(directory),
        )
    else:
        logger.info("logged to MLflow (%s): run_id=%s", _place(tracking), run_id)


def refuse_missing_mlflow() -> None:
    """Stop before any work if MLflow is not there; raises EnvironmentProblem."""
    if importlib.util.find_spec("mlflow") is None:
        raise EnvironmentProblem(
            "[tracking] asks for MLflow, and the package mlflow is not installed for this Python: expected the extra "
            "`mlflow`. Install it on the driver with `pip install 'dp-spark[mlflow]'`, or set mlflow = false."
        )


def parameters(config: PipelineConfig) -> dict[str, str]:
    """The configuration as MLflow's parameters: "label_model.model" and so on; settings that are None left out."""
    content = config.model_dump(mode="json", exclude={"tracking"}, exclude_none=True, by_alias=True)
    sections = {name: part if isinstance(part, dict) else {"": part} for name, part in content.items()}
    return {
        f"{section}.{name}".rstrip("."): without_credentials(str(value))[:MAX_VALUE_CHARACTERS]
        for section, part in sections.items()
        for name, value in part.items()
    }


def _points(metrics: Mapping[str, object]) -> Iterator[Point]:
    """The numbers of metrics.json, without lists: those of labeling functions by their names."""
    plain = {name: value for name, value in metrics.items() if name not in ("lfs", "comparison")}
    yield from _numbers("", plain)
    lfs = metrics["lfs"]
    for i, row in enumerate(lfs[:MAX_LFS] if isinstance(lfs, list) else ()):
        name = re.sub(r"[^\w\- ]", "_", str(row["name"]))  # MLflow takes no other characters
        yield from _numbers(f"lf/{i:03d} {name}", {key: row[key] for key in _LF_NUMBERS})


def _numbers(prefix: str, values: Mapping[str, object]) -> Iterator[Point]:
    for key, value in values.items():
        name = f"{prefix}/{key}".lstrip("/")
        if isinstance(value, Mapping):
            yield from _numbers(name, value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, float(value), 0


def _fit_points(model: LabelModel) -> Iterator[Point]:
    for name, steps in fit_path(model).items():
        for step, value in steps:
            yield f"label_model/{name}", value, step


def _history_points(history: History) -> Iterator[Point]:
    for epoch, values in enumerate(history, start=1):
        for name, value in values.items():
            yield f"end_model/{name}", float(value), epoch


@contextmanager
def _mlflow_run(
    client: "MlflowClient", experiment: str | None, run_name: str | None, tags: Mapping[str, str]
) -> Iterator[str]:
    """A new MLflow run beside any that the user has open; it ends as the block does."""
    run = client.create_run(_experiment_id(client, experiment), run_name=run_name, tags=dict(tags))
    run_id = str(run.info.run_id)
    status = "FAILED"
    try:
        yield run_id
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)


def _experiment_id(client: "MlflowClient", name: str | None) -> str:
    name = name or environ.get("MLFLOW_EXPERIMENT_NAME")
    if not name:
        return environ.get("MLFLOW_EXPERIMENT_ID") or "0"  # MLflow's own default
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _log_batches(client: "MlflowClient", run_id: str, points: list[Point], params: Mapping[str, str]) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, step) for name, value, step in points]
    named = [Param(name, value) for name, value in params.items()]
    for start in range(0, len(metrics), _BATCH["metrics"]):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH["metrics"]])
    for start in range(0, len(named), _BATCH["params"]):
        client.log_batch(run_id, params=named[start : start + _BATCH["params"]])


def _copy_files(storage: Storage, directory: str, local: Path) -> None:
    """The run's files that are small whatever the table's size, and the end model."""
    names = [*_FILES, *(f"end_model/{name}" for name in (MODEL_FILE, DESCRIPTION_FILE, HISTORY_TABLE))]
    (local / "end_model").mkdir()
    for name in names:
        path = join_path(directory, name)
        if storage.exists(path):
            (local / name).write_bytes(storage.read_bytes(path))


def _place(tracking: TrackingConfig) -> str:
    return without_credentials(tracking.uri or environ.get("MLFLOW_TRACKING_URI") or "MLflow's default store")


def without_credentials(text: str) -> str:
    """The text without what URIs in it hold before an @, as in s3a://key:secret@bucket.

    >>> without_credentials("s3a://key:secret@bucket/labels")
    's3a://bucket/labels'
    """
    return re.sub(r"(?<=://)[^@\s'\"]*@", "", text)
