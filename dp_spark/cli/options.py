"""Options that several verbs share, and what they say, as one value each."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import click

DEFAULT_CONFIG = "dp_spark.toml"

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Source:
    """Which run a verb works on.

    Attributes:
        config: where the configuration is: a local path, a bare name shipped with --files, or a URI.
        output: instead of the configuration's `output`, or None.
        table: instead of the configuration's `table.path`, or None.
        settings: "section.key=value" each, instead of what the configuration says.
    """

    config: str
    output: str | None = None
    table: str | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Speech:
    """How a verb answers.

    Attributes:
        as_json: one JSON object on stdout, instead of text.
        level: of log lines; None is what the environment says.
        log_format: "text" or "json"; None is what the environment says.
        log_file: gets every log line with traces, or None.
    """

    as_json: bool = False
    level: str | None = None
    log_format: str | None = None
    log_file: str | None = None


_SPEECH = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text."),
    click.option("-q", "--quiet", is_flag=True, help="Log warnings only, and show no progress."),
    click.option("-v", "--verbose", is_flag=True, help="Log details, and traces of errors."),
    click.option("--log-format", type=click.Choice(["text", "json"]), help="Of log lines on stderr."),
    click.option("--log-file", metavar="PATH", help="Gets every log line, with Python and Java traces."),
)
_SOURCE = (
    click.option(
        "--config",
        default=DEFAULT_CONFIG,
        show_default=True,
        metavar="PATH",
        help="The configuration, TOML: a local path, a bare name shipped with `spark-submit --files`, "
        "or any URI that Hadoop reads.",
    ),
    click.option("--output", metavar="DIR", help="Instead of the configuration's `output`."),
    click.option("--table", metavar="PATH", help="Instead of the configuration's `table.path`."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Instead of one setting, such as end_model.num_epochs=5; may be repeated.",
    ),
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace results that are there.")


_SPOKEN = ("as_json", "quiet", "verbose", "log_format", "log_file")


def with_speech(command: Command) -> Command:
    """Add the options of how to answer; the command gets them as `speech`."""
    return _decorated(_gathered(command, "speech", _SPOKEN, _speech_of), _SPEECH)


def with_source(command: Command) -> Command:
    """Add the options of which run to work on; the command gets them as `source`."""
    return _decorated(_gathered(command, "source", tuple(f.name for f in fields(Source)), Source), _SOURCE)


def _speech_of(
    as_json: bool, quiet: bool, verbose: bool, log_format: str | None, log_file: str | None
) -> Speech:
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other.")
    level = "WARNING" if quiet else "DEBUG" if verbose else None
    return Speech(as_json, level, log_format, log_file)


def _gathered(command: Command, name: str, taken: tuple[str, ...], make: Callable[..., object]) -> Command:
    """The command, with the options `taken` given as the one argument `name` that `make` makes of them."""

    def gathering(**options: object) -> object:
        value = make(**{option: options.pop(option) for option in taken})
        return command(**options, **{name: value})

    gathering.__name__, gathering.__doc__ = command.__name__, command.__doc__
    gathering.__dict__.update(command.__dict__)
    return gathering  # type: ignore[return-value]


def _decorated(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
