"""An explanation of a label for a terminal: a sum of log-odds that can be checked by hand."""

import math
from collections.abc import Sequence
from typing import TypedDict

from dp_spark.iteration.plain_values import key_text, on_one_line
from dp_spark.label_model.confidence import NEAR_TIE
from dp_spark.label_model.model import NO_INTERVAL

MAX_CLASSES_SHOWN = 5


class LFTerm(TypedDict):
    """What an LF votes on the data point, and what that adds to its log-odds."""

    name: str
    vote: int
    title: str
    log_odds: float
    terms: list[float]
    weight: float
    accuracy: float
    accuracy_interval: list[float]


class LabelOdds(TypedDict):
    """The log-odds of the likeliest class against the second."""

    of: str
    against: str
    class_balance: float
    total: float


class Explained(TypedDict):
    """A label and all that is known beside it; probabilities and terms are in the order of `classes`."""

    key: dict[str, object]
    label: str
    classes: list[str]
    probabilities: list[float]
    num_votes: int
    label_model: str
    class_balance: list[float]
    log_odds: LabelOdds
    lfs: list[LFTerm]
    stored: list[float] | None
    stored_is_same: bool | None
    end_model: list[float] | None
    gold: str | None
    row: dict[str, object]


def explanation_text(content: Explained) -> str:
    """The explanation: the label, the sum, who abstains, and what is stored, predicted and true."""
    odds, classes = content["log_odds"], content["classes"]
    probability = max(content["probabilities"])
    lines = [
        f"{key_text(content['key'])}: {content['label']}; P({odds['of']}) = {probability:.4f} by the label model "
        f"{content['label_model']}",
        "",
        f"log-odds of {odds['of']} against {odds['against']}",
        f"{odds['class_balance']:+10.4f}  class balance",
        *(_term_line(lf) for lf in content["lfs"] if lf["vote"] or lf["log_odds"]),
        f"{odds['total']:+10.4f}  total{_hair(odds['total'])}",
    ]
    silent = [lf["name"] for lf in content["lfs"] if not lf["vote"] and not lf["log_odds"]]
    if silent:
        lines += ["", f"abstain: {', '.join(silent)}"]
    lines += ["", *_beside_lines(content)]
    if len(classes) > 2:
        lines.append(f"{'all classes':12s} {_shares(classes, content['probabilities'])}")
    lines += [f"{name:12s} {on_one_line(value)}" for name, value in content["row"].items()]
    return "\n".join(lines)


def _hair(log_odds: float) -> str:
    """What to say of a row whose two most probable classes the votes hardly tell apart; a tie is said elsewhere."""
    return " (all but tied)" if 0 < abs(math.tanh(log_odds / 2)) < NEAR_TIE else ""


def _term_line(lf: LFTerm) -> str:
    low, high = lf["accuracy_interval"]
    known = "assumed" if (low, high) == NO_INTERVAL else f"{low:.3f} to {high:.3f}"
    says = f"votes {lf['title']}" if lf["vote"] else "abstains, which is a sign"
    return f"{lf['log_odds']:+10.4f}  {lf['name']} {says} (accuracy {lf['accuracy']:.3f}, {known})"


def _beside_lines(content: Explained) -> list[str]:
    classes, stored, predicted = content["classes"], content["stored"], content["end_model"]
    lines = []
    if stored is None:
        lines.append(f"{'stored':12s} no label yet: run `dp-spark label`")
    else:
        verdict = (
            "the same" if content["stored_is_same"] else "NOT the same: run `dp-spark label --overwrite`"
        )
        lines.append(f"{'stored':12s} {_shares(classes, stored)}, {verdict}")
    if predicted is not None:
        lines.append(f"{'end model':12s} {_shares(classes, predicted)}")
    if content["gold"] is not None:
        verdict = "as labeled" if content["gold"] == content["label"] else "not as labeled"
        lines.append(f"{'gold':12s} {content['gold']}, {verdict}")
    return lines


def _shares(classes: Sequence[str], probabilities: Sequence[float]) -> str:
    """The likeliest classes with their probabilities."""
    likeliest = sorted(zip(probabilities, classes, strict=True), key=lambda pair: -pair[0])
    shown = [
        f"P({title}) = {p:.4f}" for p, title in likeliest[: 1 if len(classes) == 2 else MAX_CLASSES_SHOWN]
    ]
    return ", ".join(shown) + (", ..." if len(classes) > MAX_CLASSES_SHOWN else "")
