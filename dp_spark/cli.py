"""`dp-spark`, and what the scripts in jobs/ call: arguments in, stages run, an exit code out."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dp_spark.config import PipelineConfig, parse_config
from dp_spark.errors import ConfigError
from dp_spark.pipeline import run_pipeline
from dp_spark.report.metrics import pipeline_text
from dp_spark.report.tutorial_text import tutorial_text
from dp_spark.run import Run
from dp_spark.session import run_job, ship_modules, spark_session
from dp_spark.stages import STAGES, run_stage
from dp_spark.storage import Storage
from dp_spark.synthetic import SyntheticTask
from dp_spark.tutorial import TRAINING, Tutorial, run_tutorial


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb that the arguments name; ends the process with an exit code if it fails."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    run_job(lambda: options.function(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dp-spark", description="Data programming on Apache Spark.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    tutorial = verbs.add_parser("tutorial", help="the method on synthetic data with known truth")
    _add_tutorial_options(tutorial)
    pipeline = verbs.add_parser("run", help="all stages on a table of your own")
    _add_config_options(pipeline, _run_all)
    one_of = pipeline.add_mutually_exclusive_group()
    _add_overwrite_option(one_of)
    one_of.add_argument(
        "--resume", action="store_true", help="go on after the complete stages of a run that failed"
    )
    for name in STAGES:
        stage = verbs.add_parser(name, help=f"the stage {name} alone")
        _add_config_options(stage, _one_stage(name))
        _add_overwrite_option(stage)
    return parser


def _add_tutorial_options(parser: argparse.ArgumentParser) -> None:
    task = SyntheticTask()
    parser.set_defaults(function=_tutorial)
    parser.add_argument("--output", default="output/tutorial", help="directory for the results (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")
    parser.add_argument("--n", type=int, default=task.num_data_points, help="data points (%(default)s)")
    parser.add_argument("--m", type=int, default=task.num_lfs, help="labeling functions (%(default)s)")
    parser.add_argument("--d", type=int, default=task.num_features, help="binary features (%(default)s)")
    parser.add_argument(
        "--coverage", type=float, default=task.coverage, help="share of rows an LF votes on (%(default)s)"
    )
    for name, default in (
        ("--accuracies", task.accuracy_range),
        ("--feature-accuracies", task.feature_accuracy_range),
    ):
        parser.add_argument(
            name, type=float, nargs=2, metavar=("LOW", "HIGH"), default=default, help="(default: %(default)s)"
        )
    parser.add_argument(
        "--positive-share", type=float, default=task.positive_share, help="P(y = +1) (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=task.seed, help="of the data (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=TRAINING.num_workers, help="training workers (%(default)s)"
    )
    parser.add_argument(
        "--max-training-rows",
        type=int,
        default=Tutorial.max_training_rows,
        help="for the end models (%(default)s)",
    )


def _add_config_options(
    parser: argparse.ArgumentParser, function: Callable[[argparse.Namespace], None]
) -> None:
    parser.set_defaults(function=function)
    parser.add_argument(
        "--config", required=True, help="TOML file: a local path, or a name shipped with --files"
    )
    parser.add_argument("--output", help="instead of the configuration's `output`")
    parser.add_argument("--table", help="instead of the configuration's `table.path`")


def _add_overwrite_option(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")


def _tutorial(options: argparse.Namespace) -> None:
    task = SyntheticTask(
        num_data_points=options.n,
        num_lfs=options.m,
        num_features=options.d,
        coverage=options.coverage,
        accuracy_range=tuple(options.accuracies),
        feature_accuracy_range=tuple(options.feature_accuracies),
        positive_share=options.positive_share,
        seed=options.seed,
    )
    training = replace(TRAINING, num_workers=options.workers)
    tutorial = Tutorial(task=task, training=training, max_training_rows=options.max_training_rows)
    storage = Storage(spark_session("dp_spark tutorial"))
    metrics = run_tutorial(storage, tutorial, options.output, overwrite=options.overwrite)
    print(tutorial_text(metrics, options.output))


def _run_all(options: argparse.Namespace) -> None:
    run = _run(options, f"dp_spark {options.config}")
    print(pipeline_text(run_pipeline(run, resume=options.resume), run.directory))


def _one_stage(name: str) -> Callable[[argparse.Namespace], None]:
    def function(options: argparse.Namespace) -> None:
        run = _run(options, f"dp_spark {name} {options.config}")
        run_stage(run, name)
        result = run.path(STAGES[name][1])
        print(
            f"{name}: wrote {result}" if run.storage.exists(result) else f"{name}: there is nothing to write"
        )

    return function


def _run(options: argparse.Namespace, app_name: str) -> Run:
    """The run that the options ask for; modules in the working directory are found here and on executors."""
    config = _config(options)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    session = spark_session(app_name)
    references = (config.labeling.module, config.table.generator, config.end_model.model)
    ship_modules(session, [reference.partition(":")[0] for reference in references if reference])
    return Run(Storage(session), config, config.output, options.overwrite)


def _config(options: argparse.Namespace) -> PipelineConfig:
    config = parse_config(_read_config(options.config), options.config)
    table = config.table.model_copy(update={"path": options.table} if options.table else {})
    return config.model_copy(update={"table": table, "output": options.output or config.output})


def _read_config(path: str) -> str:
    """The text of the configuration; `spark-submit --files` puts it in the working directory."""
    place = Path(path)
    if place.is_file():
        return place.read_text()
    raise ConfigError(
        f"--config: {path} is not there (looked for {place.absolute()}). Correct the path; where the "
        f"driver runs on the cluster, ship it with `spark-submit --files {path}` and pass its bare name."
    )
