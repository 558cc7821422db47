"""How a verb is done: the code behind it is loaded when it is called, and named in text until then."""

import importlib
import sys
from collections.abc import Callable

import click

from dp_spark.cli.options import Source, Speech
from dp_spark.held_back import held_back_stderr


def do(reference: str, speech: Speech, **arguments: object) -> None:
    """Load `module:function`, call it with the arguments, and say its outcome."""
    with held_back_stderr(is_on=speech.level != "DEBUG"):
        speak, function = _loaded("dp_spark.cli.speak:speak"), _loaded(reference)
    speak(lambda: function(**arguments), speech)


def do_on_run(
    reference: str, speech: Speech, source: Source, *, ships: bool = False, **arguments: object
) -> None:
    """As `do`, of a function that takes the run first; `ships` sends the user's modules to the executors."""
    _do_with("dp_spark.cli.opening:on_run", reference, speech, source=source, ships=ships, **arguments)


def do_on_storage(reference: str, speech: Speech, **arguments: object) -> None:
    """As `do`, of a function that takes the file systems first."""
    _do_with("dp_spark.cli.opening:on_storage", reference, speech, **arguments)


def _do_with(opening: str, reference: str, speech: Speech, **arguments: object) -> None:
    with held_back_stderr(is_on=speech.level != "DEBUG"):
        function = _loaded(reference)
    do(opening, speech, verb=click.get_current_context().info_name, function=function, **arguments)


def _loaded(reference: str) -> Callable[..., object]:
    module, _, name = reference.partition(":")
    try:
        found: Callable[..., object] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as problem:
        if str(problem.name).partition(".")[0] not in {"pyspark", "py4j"}:
            raise
        raise click.ClickException(
            f"{problem.name} is not installed in {sys.executable}: install Spark (pip install 'dp-spark[spark]'), "
            "or run under spark-submit."
        ) from problem
    return found
