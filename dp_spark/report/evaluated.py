"""What metrics.json says, with its types; it is the only record of what labels are worth against gold."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict

from dp_spark.label_model.calibration import Calibration
from dp_spark.report.comparison import Difference
from dp_spark.report.lf_facts import GoldVotes
from dp_spark.report.scores import Report


class _LF(BaseModel):
    name: str
    num_correct: int | None
    num_incorrect: int | None


class _Comparison(BaseModel):
    differences: tuple[Difference, ...] = ()
    verdict: str = ""


class _Metrics(BaseModel):
    model_config = ConfigDict(extra="ignore")

    scores: dict[str, Report]
    comparison: _Comparison | None
    label_calibration: Calibration | None = None  # not in those of earlier versions
    lfs: tuple[_LF, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """The parts of metrics.json that a report shows; empty where a run was not evaluated.

    Attributes:
        scores: by rows and table, such as "test.labels".
        differences: of the end model to the other tables, on test rows.
        verdict: whether the end model generalises.
        calibration: of the labels.
        gold_votes: right and wrong votes by labeling function.
        seconds: by stage.
        digest: the SHA-256 of metrics.json but for its times.
    """

    scores: Mapping[str, Report]
    differences: tuple[Difference, ...]
    verdict: str
    calibration: Calibration | None
    gold_votes: GoldVotes
    seconds: Mapping[str, float]
    digest: str

    @classmethod
    def nothing(cls) -> Self:
        """What a run says that was not evaluated."""
        return cls({}, (), "", None, {}, {}, "")

    @classmethod
    def of(cls, metrics: Mapping[str, object]) -> Self:
        """What the content of metrics.json says.

        Raises:
            ValueError: if it is none.
        """
        found = _Metrics.model_validate(metrics)
        comparison = found.comparison or _Comparison()
        return cls(
            scores=found.scores,
            differences=comparison.differences,
            verdict=comparison.verdict,
            calibration=found.label_calibration,
            gold_votes={lf.name: (lf.num_correct or 0, lf.num_incorrect or 0) for lf in found.lfs},
            seconds=found.seconds,
            digest=metrics_digest(metrics),
        )


def metrics_digest(metrics: Mapping[str, object]) -> str:
    """The SHA-256 of the content of metrics.json but for its times."""
    timeless = {name: value for name, value in metrics.items() if name != "seconds"}
    return hashlib.sha256(json.dumps(timeless, sort_keys=True).encode()).hexdigest()


def calibration_of_fit(diagnostics: Mapping[str, object]) -> Calibration | None:
    """The calibration on gold labels that were given to the fit, from a label model's diagnostics; None without any."""
    found = _Fit.model_validate(diagnostics)
    return found.calibration


class _Fit(BaseModel):
    model_config = ConfigDict(extra="ignore")

    calibration: Calibration | None = None
