"""Write docs/command_line.md from the help of every verb of `dp-spark`.

python docs/command_line.py
"""

from pathlib import Path

import click

from dp_spark.cli.verbs import dp_spark

PAGE = Path(__file__).with_suffix(".md")
WIDTH = 100  # characters
HEAD = """# Command line

What `dp-spark VERB --help` says. The scripts in `jobs/` take the same options, for `spark-submit`:
`jobs/pipeline.py` is `dp-spark run`, `jobs/apply_lfs.py` is `dp-spark apply-lfs`, and so on. See also:
[exit codes](exit_codes.md), [configuration](configuration.md).
"""


def page() -> str:
    """The whole page."""
    group = click.Context(dp_spark, info_name="dp-spark", terminal_width=WIDTH, **dp_spark.context_settings)
    verbs = [name for names in dp_spark.sections.values() for name in names]
    contexts = [click.Context(dp_spark.commands[name], parent=group, info_name=name) for name in verbs]
    return "\n".join([HEAD, *map(_section, [group, *contexts])])


def _section(context: click.Context) -> str:
    return f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
