"""The run that a verb works on: its configuration read, its session started, its modules found.

Nothing here loads TensorFlow, so that verbs which only look at results answer quickly.
"""

from collections.abc import Callable
from pathlib import Path

from dp_spark.cli.config_text import config_text
from dp_spark.cli.options import Source
from dp_spark.commands.outcome import Outcome
from dp_spark.config import PipelineConfig, parse_config
from dp_spark.own_modules import find_modules_in, ship_own_modules
from dp_spark.run import Run
from dp_spark.session import spark_session
from dp_spark.storage import Storage


def on_run(
    source: Source, verb: str, function: Callable[..., Outcome], *, ships: bool = False, **arguments: object
) -> Outcome:
    """What a function of a run, and of further arguments, finds out; `ships` as of `open_run`."""
    return function(open_run(source, verb, ships=ships), **arguments)


def on_storage(verb: str, function: Callable[..., Outcome], **arguments: object) -> Outcome:
    """What a function of the file systems, and of further arguments, finds out; needs no configuration."""
    return function(Storage(spark_session(f"dp_spark {verb}")), **arguments)


def open_run(source: Source, verb: str, *, overwrite: bool = False, ships: bool = True) -> Run:
    """The run that the options ask for.

    Modules in the working directory, and beside a configuration that is a local file, are found.

    Args:
        source: which run.
        verb: what Spark's UI shows.
        overwrite: whether stages may replace their results.
        ships: send these modules to the executors: for verbs that run what users wrote.
    """
    app_name = f"dp_spark {verb} {source.config}"
    config = read_config(source, app_name)
    folders = module_folders(source)
    find_modules_in(folders)
    session = spark_session(app_name)
    if ships:
        references = [config.labeling.module, config.table.generator, *config.end_model.settings().references]
        ship_own_modules(session, [name.partition(":")[0] for name in references if name], folders)
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
