"""The run that a verb works on: its configuration read, its session started, its modules found.

Nothing here loads TensorFlow, so that verbs which only look at results answer quickly.
"""

import json
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
    source: Source,
    verb: str,
    function: Callable[..., Outcome],
    *,
    overwrite: bool = False,
    ships: bool = False,
    **arguments: object,
) -> Outcome:
    """What a function of a run, and of further arguments, finds out; `overwrite` and `ships` as of `open_run`."""
    return function(open_run(source, verb, overwrite=overwrite, ships=ships), **arguments)


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
    config = read_config(source, app_name_of(source, verb))
    return run_of(config, source, verb, overwrite=overwrite, ships=ships)


def run_of(config: PipelineConfig, source: Source, verb: str, *, overwrite: bool, ships: bool) -> Run:
    """The run of a configuration that was read; the rest as of `open_run`."""
    folders = module_folders(source)
    find_modules_in(folders)
    session = spark_session(app_name_of(source, verb))
    if ships:
        references = [config.labeling.module, config.table.generator, *config.end_model.settings().references]
        ship_own_modules(session, [name.partition(":")[0] for name in references if name], folders)
    return Run(Storage(session), config, config.output, overwrite)


def read_config(source: Source, app_name: str) -> PipelineConfig:
    """The configuration, with what the options replace."""
    return parse_config(read_text(source, app_name), source.config, settings_of(source))


def read_text(source: Source, app_name: str) -> str:
    """The text of the configuration; a session of this name is started if it lies where only Hadoop reads."""
    return config_text(source.config, lambda: Storage(spark_session(app_name)))


def settings_of(source: Source) -> list[str]:
    """What the options replace, as settings."""
    named = {"output": source.output, "table.path": source.table}
    return [*source.settings, *(f"{name}={json.dumps(value)}" for name, value in named.items() if value)]


def app_name_of(source: Source, verb: str) -> str:
    """What Spark's UI shows."""
    return f"dp_spark {verb} {source.config}"


def module_folders(source: Source) -> list[Path]:
    """Where modules are looked for before Python's own places."""
    beside = Path(source.config).expanduser()
    return [Path.cwd(), *([beside.absolute().parent] if beside.is_file() else [])]
