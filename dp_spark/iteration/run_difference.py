"""What differs between two runs, apart from the labels of single data points: LFs, label model, scores."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from dp_spark.counting.count import share_covered
from dp_spark.iteration.results import Results
from dp_spark.iteration.sides import joined_names
from dp_spark.label_model.model import LabelModel

Change = Literal["added", "removed", "changed", "unchanged", "unknown"]
SCORES = ("accuracy", "f1", "macro_f1", "log_loss", "expected_calibration_error")


@dataclass(frozen=True)
class LFState:
    """An LF in one run; None is not known.

    Attributes:
        coverage, conflicts: shares of the data points.
        accuracy, accuracy_interval, weight: of the label model.
        gold_accuracy: how often it is right where the truth is known.
    """

    coverage: float | None
    conflicts: float | None
    accuracy: float | None
    accuracy_interval: list[float] | None
    weight: float | None
    gold_accuracy: float | None


@dataclass(frozen=True)
class LFDifference:
    """An LF in two runs.

    Attributes:
        name: of the LF.
        change: by the content hashes: what the code does that casts the votes; "unknown" if they are not known.
        renamed_from: of an added LF, the name of the removed one with the same content hash, if there is just one.
        before, after: None where the run does not have it.
    """

    name: str
    change: Change
    renamed_from: str | None
    before: LFState | None
    after: LFState | None

    @property
    def is_different(self) -> bool:
        """Whether the LF, or anything that is known of it, changed."""
        return self.change != "unchanged" or self.before != self.after


@dataclass(frozen=True)
class RunDifference:
    """What differs between two runs.

    Attributes:
        parts: the parts of the configuration that differ; None if a run does not say what it was made from.
        lfs: of the second run, then those that only the first one has.
        before, after: "num_data_points", "share_covered", "label_model", "class_balance" of each; None is not known.
        scores: by table of labels, such as "test.end_model": what each run's metrics say; None where they do not.
    """

    parts: tuple[str, ...] | None
    lfs: tuple[LFDifference, ...]
    before: Mapping[str, object]
    after: Mapping[str, object]
    scores: Mapping[str, tuple[Mapping[str, object] | None, Mapping[str, object] | None]]

    @property
    def is_different(self) -> bool:
        """Whether anything differs but the configuration."""
        scores_differ = any(before != after for before, after in self.scores.values())
        return any(lf.is_different for lf in self.lfs) or self.before != self.after or scores_differ

    def to_dict(self) -> dict[str, object]:
        """The same as JSON has it."""
        return {
            "configuration": None if self.parts is None else list(self.parts),
            "lfs": [asdict(lf) for lf in self.lfs],
            "before": dict(self.before),
            "after": dict(self.after),
            "scores": {name: {"before": old, "after": new} for name, (old, new) in self.scores.items()},
        }


def run_difference(before: Results, after: Results) -> RunDifference:
    """What differs between two runs, as far as both have it."""
    scores = [_scores(run) for run in (before, after)]
    return RunDifference(
        parts=_changed_parts(before.made_from, after.made_from),
        lfs=_lf_differences(before, after),
        before=_numbers(before),
        after=_numbers(after),
        scores={name: (scores[0].get(name), scores[1].get(name)) for name in scores[0] | scores[1]},
    )


def _changed_parts(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...] | None:
    if not before or not after:
        return None
    return tuple(sorted(name for name in {*before, *after} - {"lfs"} if before.get(name) != after.get(name)))


def _lf_differences(before: Results, after: Results) -> tuple[LFDifference, ...]:
    old, new = before.lf_hashes, after.lf_hashes
    old_states, new_states = _states(before), _states(after)
    return tuple(
        LFDifference(
            name=name,
            change=_change(old.get(name), new.get(name)),
            renamed_from=_old_name(name, old, new),
            before=old_states.get(name),
            after=new_states.get(name),
        )
        for name in joined_names(tuple(old), tuple(new))
    )


def _old_name(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str | None:
    """What an added LF was called before."""
    if name in old or not new[name]:
        return None
    alike = [other for other in old if old[other] == new[name] and other not in new]
    return alike[0] if len(alike) == 1 else None


def _change(old: str | None, new: str | None) -> Change:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if not old or not new:
        return "unknown"
    return "unchanged" if old == new else "changed"


def _states(run: Results) -> dict[str, LFState]:
    summary, gold, fitted = run.summary, run.gold_accuracies, _fitted(run.model)
    found = {}
    for name in run.lf_hashes:
        row = summary.get(name)
        accuracy, interval, weight = fitted.get(name, (None, None, None))
        found[name] = LFState(
            coverage=row.coverage if row else None,
            conflicts=row.conflicts if row else None,
            accuracy=accuracy,
            accuracy_interval=interval,
            weight=weight,
            gold_accuracy=gold.get(name),
        )
    return found


def _fitted(model: LabelModel | None) -> dict[str, tuple[float, list[float], float]]:
    """Accuracy, interval and weight of each LF."""
    if model is None:
        return {}
    columns = (model.accuracies.tolist(), np.asarray(model.intervals).tolist(), model.weights.tolist())
    return dict(zip(model.lf_names, zip(*columns, strict=True), strict=True))


def _numbers(run: Results) -> dict[str, object]:
    counts, model = run.counts, run.model
    return {
        "num_data_points": counts.num_data_points if counts else None,
        "share_covered": share_covered(counts) if counts else None,
        "label_model": model.model if model else None,
        "class_balance": model.class_balance.tolist() if model else None,
    }


def _scores(run: Results) -> dict[str, dict[str, object]]:
    """What metrics.json says of all rows with gold of each table of labels."""
    scores = (run.metrics or {}).get("scores")
    tables = scores if isinstance(scores, Mapping) else {}
    of_all = {name: report.get("all") for name, report in tables.items() if isinstance(report, Mapping)}
    return {
        name: {score: found.get(score) for score in ("num_data_points", *SCORES, "intervals")}
        for name, found in of_all.items()
        if isinstance(found, Mapping)
    }
