"""The label model: what turns a row of votes into probabilities, on the driver and in Spark tasks alike.

P(y = c | λ) ∝ π_c exp(Σ_i w_i [λ_i = c]), with w_i = log(p_i (k - 1) / (1 - p_i)). For two classes this is
the tutorial's σ(b + wᵀλ) with b = log(π_+ / π_-) (step 2.iii). There p = σ(w), not σ(2w): the tutorial
writes the model with exp(w λ y / 2). A model that knows P(λ_i | y) for every class has log P(λ_i = a | y = c)
in the place of w_i [a = c].
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dp_spark.label_model.explanation import Explanation
from dp_spark.label_model.notebook import label_model_html, label_model_text
from dp_spark.labeling.votes import Votes, check_votes, classes_of

Vector = npt.NDArray[np.float64]
Diagnostics = Mapping[str, object]

FORMAT_VERSION = 3  # 1 had no intervals and no log_likelihoods, 2 no abstain_log_likelihoods
NO_MODEL = "this is not a label model: expected the JSON that LabelModel.save writes."
NO_INTERVAL = (0.0, 1.0)  # of an accuracy that the votes say nothing about
MAX_BALANCE_ERROR = 1e-6  # how far a class balance may be from adding up to 1


@dataclass(frozen=True, eq=False, repr=False)
class LabelModel:
    """Accuracies of m LFs and the class balance of k classes.

    Attributes:
        model: which one it is: "one_coin", "majority_vote", ...
        lf_names: m names.
        lf_hashes: m content hashes, or empty if they are not known.
        num_classes: k.
        accuracies: (m,) float64 in (0, 1): P(vote = y given that the LF votes).
        weights: (m,) float64: log-odds that a vote adds to its class; of a model with `log_likelihoods`
            the average over classes.
        class_balance: (k,) float64, P(y = c) in the order of `classes`; adds up to 1.
        diagnostics: how the fit ended and what was found on the way; values as in JSON.
        intervals: (m, 2) float64 in [0, 1]: 95% intervals of the accuracies; 0 to 1, the default, where
            the votes say nothing, or the model does not tell.
        log_likelihoods: None, or (m, k, k) float64: [i, a, c] = log P(LF i votes a | y = c), up to a constant
            per LF and vote; classes in the order of `classes`.
        abstain_log_likelihoods: None, or (m, k) float64: [i, c] = log P(LF i abstains | y = c), up to a constant per
            LF; only beside `log_likelihoods`. Without it abstaining says nothing.
    """

    model: str
    lf_names: tuple[str, ...]
    lf_hashes: tuple[str, ...]
    num_classes: int
    accuracies: Vector
    weights: Vector
    class_balance: Vector
    diagnostics: Diagnostics = field(default_factory=dict)
    intervals: Vector | None = None
    log_likelihoods: Vector | None = None
    abstain_log_likelihoods: Vector | None = None

    def __post_init__(self) -> None:
        m, k = len(self.lf_names), len(classes_of(self.num_classes))
        if self.intervals is None:
            object.__setattr__(self, "intervals", np.tile(NO_INTERVAL, (m, 1)))
        shapes = {"accuracies": (m,), "weights": (m,), "class_balance": (k,), "intervals": (m, 2)}
        if self.log_likelihoods is not None:
            shapes["log_likelihoods"] = (m, k, k)
        if self.abstain_log_likelihoods is not None:
            if self.log_likelihoods is None:
                raise ValueError("abstain_log_likelihoods is given without log_likelihoods: expected both.")
            shapes["abstain_log_likelihoods"] = (m, k)
        for name, shape in shapes.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                raise ValueError(f"{name} is {array}: expected finite numbers of shape {shape}.")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if ((self.accuracies < 0) | (self.accuracies > 1)).any():
            raise ValueError(f"accuracies is {self.accuracies}: expected numbers from 0 to 1.")
        if (self.class_balance <= 0).any() or abs(self.class_balance.sum() - 1) > MAX_BALANCE_ERROR:
            raise ValueError(
                f"class_balance is {self.class_balance}: expected k numbers above 0 that add up to 1."
            )

    @property
    def classes(self) -> tuple[int, ...]:
        """The votes that the columns of `predict_proba` stand for: (-1, 1), or (1, ..., k)."""
        return classes_of(self.num_classes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about this fit, one sentence each."""
        found = self.diagnostics.get("warnings", ())
        return tuple(str(w) for w in found) if isinstance(found, Sequence) else ()

    @property
    def model_id(self) -> str:
        """16 hex digits over everything that decides the labels, and nothing else."""
        deciding = ("num_classes", "class_balance", "lf_names", "lf_hashes", "weights", "log_likelihoods")
        content = self._content()
        decisive = {name: content[name] for name in deciding}
        if self.abstain_log_likelihoods is not None:  # else the id is that of older versions
            decisive["abstain_log_likelihoods"] = content["abstain_log_likelihoods"]
        return _digest(decisive)[:16]

    def predict_proba(self, votes: Votes) -> Vector:
        """P(y = c | λ) of each row.  (Tutorial, 2.iii.)

        Args:
            votes: (n, m) int8; a row without votes gets the class balance.

        Returns:
            (n, k) float64, rows add up to 1; columns in the order of `classes`.

        Raises:
            ValueError: if votes has another number of columns, or a value that is not a vote.
        """
        votes = self._checked(votes)
        log_prior = np.log(self.class_balance)
        if self.num_classes == 2 and self.log_likelihoods is None:
            positive = sigmoid(log_prior[1] - log_prior[0] + votes @ self.weights)
            return np.stack([1 - positive, positive], axis=1)
        scores = np.tile(log_prior, (len(votes), 1))
        for position, c in enumerate(self.classes):
            cast = votes == c
            if self.log_likelihoods is None:
                scores[:, position] += cast @ self.weights
            else:
                scores += cast @ self.log_likelihoods[:, position]
        if self.abstain_log_likelihoods is not None:
            scores += (votes == 0) @ self.abstain_log_likelihoods
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def explain(self, votes: Votes) -> Explanation:
        """Why one data point has its label: the class balance, and what each vote adds to it.

        Args:
            votes: (m,) int8: one row of the label matrix.

        Raises:
            ValueError: as `predict_proba`.
        """
        row = self._checked(np.asarray(votes)[None])[0]
        terms = np.zeros((len(row), self.num_classes))
        for position, c in enumerate(self.classes):
            cast = np.flatnonzero(row == c)
            if self.log_likelihoods is None:
                terms[cast, position] = self.weights[cast]
            else:
                terms[cast] = self.log_likelihoods[cast, position]
        if self.abstain_log_likelihoods is not None:
            terms[row == 0] = self.abstain_log_likelihoods[row == 0]
        return Explanation(self.lf_names, self.classes, row, np.log(self.class_balance), terms)

    def __repr__(self) -> str:
        return label_model_text(self)

    def _repr_html_(self) -> str:
        return label_model_html(self)

    def _checked(self, votes: Votes) -> Votes:
        votes = np.asarray(votes)
        check_votes(votes, self.num_classes)
        if votes.shape[1] != len(self.lf_names):
            raise ValueError(
                f"votes has {votes.shape[1]} columns: expected {len(self.lf_names)}, one for each of "
                f"{list(self.lf_names)[:5]}..., in this order."
            )
        return votes

    def to_json(self) -> str:
        """The model as JSON with a digest: the same text for the same model; every bit of it comes back."""
        content = self._content()
        return json.dumps({**content, "digest": _digest(content)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "LabelModel":
        """The model that `to_json` wrote.

        Raises:
            ValueError: if it is of a newer format, or its content does not match its digest.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as problem:
            raise ValueError(f"{NO_MODEL} The text is not JSON, or cut off: {problem}.") from None
        needed = {"digest", "version", *(f.name for f in fields(cls) if f.default is MISSING)} - {
            "diagnostics"
        }
        if not isinstance(content, dict) or not needed <= set(content):
            raise ValueError(NO_MODEL)
        if not isinstance(content["version"], int):
            raise ValueError(f"{NO_MODEL} Its version is {content['version']!r}.")
        if content["version"] > FORMAT_VERSION:
            raise ValueError(
                f"this label model has format version {content['version']}: this dp_spark reads up to "
                f"{FORMAT_VERSION}. Use the version that wrote it, or a newer one."
            )
        if _digest({k: v for k, v in content.items() if k != "digest"}) != content["digest"]:
            raise ValueError(
                "the label model's content does not match its digest: it was changed after it was saved, "
                "or damaged. Fit it again, or restore the file."
            )
        return cls(
            model=content["model"],
            lf_names=tuple(content["lf_names"]),
            lf_hashes=tuple(content["lf_hashes"]),
            num_classes=content["num_classes"],
            accuracies=np.array(content["accuracies"]),
            weights=np.array(content["weights"]),
            class_balance=np.array(content["class_balance"]),
            diagnostics=content["diagnostics"],
            **{
                name: None if content.get(name) is None else np.array(content[name])
                for name in ("intervals", "log_likelihoods", "abstain_log_likelihoods")
            },
        )

    def save(self, path: str | Path) -> None:
        """Write the model as JSON to a local file."""
        Path(path).write_text(self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> "LabelModel":
        """Read a model from a local file; raises as `from_json`, or FileNotFoundError."""
        return cls.from_json(Path(path).read_text())

    def _content(self) -> dict[str, object]:
        return {
            "version": FORMAT_VERSION,
            "model": self.model,
            "num_classes": self.num_classes,
            "classes": list(self.classes),
            "class_balance": self.class_balance.tolist(),
            "lf_names": list(self.lf_names),
            "lf_hashes": list(self.lf_hashes),
            "accuracies": self.accuracies.tolist(),
            "weights": self.weights.tolist(),
            "intervals": np.asarray(self.intervals).tolist(),
            "log_likelihoods": None if self.log_likelihoods is None else self.log_likelihoods.tolist(),
            "abstain_log_likelihoods": (
                None if self.abstain_log_likelihoods is None else self.abstain_log_likelihoods.tolist()
            ),
            "diagnostics": dict(self.diagnostics),
        }


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + exp(-x)), without overflow for any x."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))


def log_odds_weights(accuracies: Vector, num_classes: int) -> Vector:
    """Log-odds w = log(p (k - 1) / (1 - p)): (m,).  (Tutorial, 2.iii, for k = 2.)

    Args:
        accuracies: (m,) in (0, 1).
        num_classes: k.
    """
    return np.asarray(np.log(accuracies) - np.log1p(-accuracies) + np.log(num_classes - 1))


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
