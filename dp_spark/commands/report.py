"""The verb `report`: makes the report of a run from the results that are there."""

import json

from dp_spark.commands.outcome import Outcome
from dp_spark.reporting import publish_report, report_of
from dp_spark.run import Run
from dp_spark.stage_names import REPORT_PAGE


def write_report(run: Run, show_rows: int = 0) -> Outcome:
    """Write report.html and report.json of a run; an earlier report is replaced, as all of it is made again.

    Args:
        run: at least its label matrix and vote counts are there; what else is missing is named in the report.
        show_rows: how many rows of the data to show, 0 to 100, the least certain labels first.

    Raises:
        MissingResultError: if there is no label matrix, or no vote counts of it.
        ValueError: if `show_rows` is another number.
    """
    report = report_of(run, show_rows)
    publish_report(run, report)
    facts = report.facts
    lines = [facts.quality.headline]
    lines += [f"{at}. {sentence}" for at, sentence in enumerate(facts.advice, start=1)]
    lines += [f"not in the report: {note}" for note in facts.notes]
    lines.append(f"wrote {run.path(REPORT_PAGE)}")
    content: dict[str, object] = json.loads(report.to_json())
    return Outcome("\n".join(lines), {"path": run.path(REPORT_PAGE), "report": content})
