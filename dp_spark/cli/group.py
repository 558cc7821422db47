"""The group of all verbs: its help in sections, and a suggestion for a verb that is mistyped."""

import difflib
from collections.abc import Mapping, Sequence

import click

_HELP_CHARACTERS = 200  # no one-line help is cut


class VerbGroup(click.Group):
    """A click group whose help lists verbs by what one does with them.

    Attributes:
        sections: the titles of the help's lists, and the verbs of each; every verb is in one.
    """

    sections: Mapping[str, Sequence[str]] = {}

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their one-line helps, section by section."""
        for title, names in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(_HELP_CHARACTERS)) for name in names]
                )

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the arguments begin with; raises UsageError with those that are near."""
        name = arguments[0]
        if name in self.commands or name.startswith("-"):
            return super().resolve_command(context, arguments)
        near = difflib.get_close_matches(name, self.commands, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"The verbs: {', '.join(self.commands)}."
        raise click.UsageError(f"there is no verb {name!r}. {hint}", context)
