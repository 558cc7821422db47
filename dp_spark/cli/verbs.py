"""`dp-spark`: all verbs in one group, and the way into it."""

import sys
from collections.abc import Sequence

import click

from dp_spark.cli.group import VerbGroup
from dp_spark.cli.project_verbs import PROJECT_VERBS
from dp_spark.cli.result_verbs import RESULT_VERBS
from dp_spark.cli.run_verbs import STAGE_VERBS, run, tutorial

SECTIONS = {
    "Begin": PROJECT_VERBS,
    "Run": [run, *STAGE_VERBS],
    "Look at results": RESULT_VERBS,
    "Learn": [tutorial],
}
_HELP = """Label a table with labeling functions, on Apache Spark.

A first project, from nothing to labels:

\b
  dp-spark init my_project && cd my_project
  dp-spark validate        # all problems at once, before any long work
  dp-spark try             # the labeling functions on a sample
  dp-spark run             # votes, label model, labels, end model, report

On a cluster: spark-submit jobs/pipeline.py, which takes the options of `dp-spark run`."""
_EXIT_CODES = """Exit codes: 0 done; 1 Spark or training failed; 2 configuration, environment or arguments; 3 what
the table holds; 4 a labeling function; 130 interrupted; 143 terminated."""


@click.group(
    cls=VerbGroup,
    help=_HELP,
    epilog=_EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="dp-spark", prog_name="dp-spark")
def dp_spark() -> None:
    """All verbs."""


for _verb in (verb for verbs in SECTIONS.values() for verb in verbs):
    dp_spark.add_command(_verb)
VerbGroup.sections = {title: [str(verb.name) for verb in verbs] for title, verbs in SECTIONS.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the verb that the arguments name; ends the process with an exit code if that fails."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        dp_spark.main(given, prog_name="dp-spark", standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
