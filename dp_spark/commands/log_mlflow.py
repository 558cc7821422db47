"""`dp-spark log-mlflow`: log a finished run to MLflow, also one that could not be logged when it ended."""

from dp_spark.commands.outcome import Outcome
from dp_spark.run import Run
from dp_spark.tracking import log_to_mlflow


def log_mlflow(
    run: Run, uri: str | None = None, experiment: str | None = None, run_name: str | None = None
) -> Outcome:
    """Log the results in the run's directory to MLflow.

    Args:
        run: a complete one.
        uri: instead of [tracking] uri.
        experiment: instead of [tracking] experiment.
        run_name: instead of [tracking] run_name.

    Raises:
        EnvironmentProblem: if MLflow is not installed.
        MissingResultError: if the run is not complete.
    """
    tracking = run.config.tracking
    run_id = log_to_mlflow(
        run.storage,
        run.directory,
        uri=uri or tracking.uri,
        experiment=experiment or tracking.experiment,
        run_name=run_name or tracking.run_name,
        config=run.config,
    )
    content = {"mlflow_run_id": run_id, "directory": run.directory}
    return Outcome(f"logged {run.directory} to MLflow: run_id={run_id}", content)
