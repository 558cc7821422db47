"""How far something is at one moment, and its words."""

from collections.abc import Mapping
from dataclasses import dataclass

SECONDS_PER_MINUTE = 60
MINUTES_PER_HOUR = 60


@dataclass(frozen=True)
class Snapshot:
    """How far something is.

    Attributes:
        name: of the stage, or empty.
        what: is done in it now, or empty.
        num_done: parts that are complete.
        num_parts: all parts that are known; 0 if none is.
        unit: what a part is.
        rows_per_second: 0 if not known.
        seconds_left: until all known parts are complete; None if not known.
        seconds: since it began.
    """

    name: str
    what: str
    num_done: int = 0
    num_parts: int = 0
    unit: str = "partitions"
    rows_per_second: float = 0.0
    seconds_left: float | None = None
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """The stage and what is done in it."""
        return ": ".join(filter(None, [self.name, self.what]))

    @property
    def text(self) -> str:
        """The numbers, for people beside a bar."""
        parts = [f"{self.num_done:,}/{self.num_parts:,} {self.unit}"] if self.num_parts else []
        if self.rows_per_second:
            parts.append(f"{self.rows_per_second:,.0f} rows/s")
        if self.seconds_left is None:
            parts.append(f"{clock(self.seconds)} so far")
        else:
            parts.append(f"{clock(self.seconds_left)} left")
        return ", ".join(parts)

    @property
    def line(self) -> str:
        """Title and numbers, for a log."""
        parts = [f"{self.unit}={self.num_done}/{self.num_parts}"] if self.num_parts else []
        if self.rows_per_second:
            parts.append(f"rows/s={self.rows_per_second:,.0f}")
        parts.append(f"seconds={self.seconds:.0f}")
        if self.seconds_left is not None:
            parts.append(f"seconds_left={self.seconds_left:,.0f}")
        return f"{self.title}: {' '.join(parts)}"

    @property
    def fields(self) -> Mapping[str, object]:
        """The numbers, for a log of JSON."""
        return {
            "stage": self.name,
            "what": self.what,
            self.unit: self.num_parts,
            f"{self.unit}_done": self.num_done,
            "rows_per_second": round(self.rows_per_second),
            "seconds": round(self.seconds, 1),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
        }


def clock(seconds: float) -> str:
    """Seconds as on a clock: 0:09, 1:30, 2:05:00."""
    minutes, second = divmod(round(seconds), SECONDS_PER_MINUTE)
    hours, minute = divmod(minutes, MINUTES_PER_HOUR)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
