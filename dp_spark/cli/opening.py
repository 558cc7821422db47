"""The run that a verb works on: its configuration read, its session started, its modules found.

Nothing here loads TensorFlow, so that verbs which only look at results answer quickly.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from dp_spark.cli.config_text import config_text
from dp_spark.cli.options import Source
from dp_spark.commands.outcome import Outcome
from dp_spark.config import PipelineConfig, parse_config
from dp_spark.run import Run
from dp_spark.session import ship_modules, spark_session
from dp_spark.storage import Storage


def on_run(source: Source, verb: str, function: Callable[..., Outcome], **arguments: object) -> Outcome:
    """What a function of a run, and of further arguments, finds out."""
    return function(open_run(source, verb), **arguments)


def open_run(source: Source, verb: str, *, overwrite: bool = False) -> Run:
    """The run that the options ask for.

    Modules in the working directory, and beside a configuration that is a local file, are found here and on
    executors.
    """
    app_name = f"dp_spark {verb} {source.config}"
    config = read_config(source, app_name)
    folders = module_folders(source)
    sys.path[:0] = [folder for folder in map(str, folders) if folder not in sys.path]
    session = spark_session(app_name)
    references = (config.labeling.module, config.table.generator, config.end_model.model)
    ship_modules(session, [reference.partition(":")[0] for reference in references if reference], folders)
    return Run(Storage(session), config, config.output, overwrite)


def read_config(source: Source, app_name: str) -> PipelineConfig:
    """The configuration, with what the options replace."""
    text = config_text(source.config, lambda: Storage(spark_session(app_name)))
    settings = list(source.settings)
    config = parse_config(text, source.config, settings)
    table = config.table.model_copy(update={"path": source.table} if source.table else {})
    return config.model_copy(update={"table": table, "output": source.output or config.output})


def module_folders(source: Source) -> list[Path]:
    """Where modules are looked for before Python's own places."""
    beside = Path(source.config).expanduser()
    return [Path.cwd(), *([beside.absolute().parent] if beside.is_file() else [])]
