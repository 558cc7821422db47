"""The report of a run: its numbers, as JSON and as one HTML page."""

import html
import json
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from dp_spark.json_values import finite
from dp_spark.report.page import render
from dp_spark.report.run_facts import RunFacts

_FRAME_HEIGHT = 720  # pixels, in a notebook


@dataclass(frozen=True)
class RunReport:
    """The report of a run; in a notebook it shows itself.

    Attributes:
        facts: all numbers.
    """

    facts: RunFacts

    def to_json(self) -> str:
        """The numbers, as report.json has them; null for what is not finite."""
        return json.dumps(finite(asdict(self.facts)), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RunReport":
        """The report that `to_json` wrote.

        Raises:
            ValueError: if the text is another one.
        """
        return cls(TypeAdapter(RunFacts).validate_json(text))

    def to_html(self) -> str:
        """One self-contained page: no scripts, nothing is loaded from elsewhere."""
        return render(self.facts)

    def _repr_html_(self) -> str:
        """The page in a frame, so that its style and the notebook's keep apart."""
        page = html.escape(self.to_html(), quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="" style="width:100%;height:{_FRAME_HEIGHT}px;border:0" '
            'title="report of a run"></iframe>'
        )
