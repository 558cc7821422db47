"""How an end model is trained; no Spark, no TensorFlow."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

LINEAR = "linear"
MLP = "mlp"

_BUILT_IN = (LINEAR, MLP)
_CHOICES = {
    "optimizer": ("adam", "sgd"),
    "schedule": ("cosine", "linear", "constant"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "collective": ("authenticated", "tensorflow"),
}
_COUNTS = (
    "num_epochs",
    "batch_size",
    "num_workers",
    "max_attempts",
    "max_tokens",
    "min_token_texts",
    "max_categories",
    "num_row_ranges",
)
BALANCED = "balanced"
_MAX_NGRAMS = 2
_MAX_VALIDATION_SHARE = 0.5

_MODELS = "'linear', 'mlp', or 'package.module:function' of a function that builds a model"


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of `train_end_model`; every value is checked here.

    Attributes:
        model: "linear", "mlp", or "package.module:function" of a function that takes an `InputSpec`.
        hidden_units: units of the MLP's hidden layers.
        num_epochs: passes over the training set, at least 1.
        batch_size: data points per step over all workers; rounded to a multiple of `num_row_ranges`.
        learning_rate: positive.
        schedule: "cosine" and "linear" let the learning rate fall to 0 over the run: with noisy labels and
            a constant rate the last steps wander (test accuracy of the tutorial's end model: 0.82 to 0.87 by
            seed of the row order, against 0.86 to 0.87); "constant" keeps it, and lets callbacks change it.
        warmup_share: over this share of all steps the learning rate first rises from 0; in [0, 1).
        optimizer: "adam" or "sgd" (without momentum).
        l2: weight decay of the built-in models' kernels: the objective gains l2 times the sum of
            their squares. At least 0.
        class_weights: how much each class counts in the loss, in the order of the classes, each positive;
            "balanced" makes all classes count the same in sum. Empty: as the labels have them. With weights the
            model's probabilities are those of classes so weighted, no longer of the table.
        early_stopping_patience: stop after so many epochs in a row without a lower validation loss, and keep
            the weights of the best epoch; 0 trains all epochs. Needs `validation_share`.
        precision: "float32", or "mixed_bfloat16" or "mixed_float16" to compute in 16 bits on hardware that is
            faster with them; weights and sums over workers stay float32.
        callbacks: "package.module:function" of a function without arguments that returns a list of Keras
            callbacks. They live in worker 0; what they change in the model or the optimizer reaches the other
            workers at the end of the epoch. Empty: none.
        seed: of the initial weights and of the order of rows.
        num_workers: training processes, each one Spark task; at most `num_row_ranges`.
        max_attempts: how often training starts, if processes or machines fail.
        max_tokens: the size of a text model's vocabulary at most.
        min_token_texts: a text model knows the tokens that at least so many training texts hold. A token
            of one text cannot tell anything about another, but lets the model learn that one by heart.
        ngrams: 1, or 2 to let pairs of neighbouring tokens be tokens too.
        max_categories: how many values of each column of categories the model knows at most; all others
            are one value to it.
        validation_share: this share of the rows, in [0, 0.5], is held out of training: the last ones of
            their order, which is by a hash of the key.
        num_row_ranges: in how many ranges the rows are cut. Together with seed and batch size this fixes
            every global batch, whatever the number of workers.
        timeout_seconds: how long a worker waits for a silent one, and the driver for news of a step: at least
            twice what the slowest step, validation or callback takes.
        checkpoint_steps: steps between checkpoints inside an epoch; 0 writes one at the end of each epoch only.
        tensorboard: a directory that all workers reach, for TensorBoard's scalars; empty: none.
        collective: how several workers add their gradients. "authenticated": over connections that prove
            with a secret that they belong to the run; for models up to about 10 MB and about 8 workers.
            "tensorflow": by `tf.distribute`, for GPUs, larger models and more workers; every worker then
            has a port that serves anyone who reaches it.
        network_is_isolated: your word that only this application reaches its machines' or pods' ports, by a
            network policy or a firewall (deploy/README.md). "tensorflow" needs it.
        cache_bytes: a worker whose rows take less memory than this keeps them.
        scratch_bytes: else it keeps rows that are all numbers, decoded, in a file on its machine's own disk: at most
            so many bytes, and a quarter of what is free there. Other rows are read from shards in every epoch.

    Raises:
        ValueError: naming all settings that are wrong, and their values.
    """

    model: str = LINEAR
    hidden_units: tuple[int, ...] = (64,)
    num_epochs: int = 20
    batch_size: int = 512
    learning_rate: float = 0.01
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_share: float = 0.0
    optimizer: Literal["adam", "sgd"] = "adam"
    l2: float = 0.0
    class_weights: tuple[float, ...] | Literal["balanced"] = ()
    early_stopping_patience: int = 0
    validation_share: float = 0.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    callbacks: str = ""
    seed: int = 0
    num_workers: int = 1
    max_attempts: int = 3
    max_tokens: int = 10_000
    min_token_texts: int = 2
    ngrams: int = 1
    max_categories: int = 1_000
    num_row_ranges: int = 16
    timeout_seconds: float = 300.0
    collective: Literal["authenticated", "tensorflow"] = "authenticated"
    network_is_isolated: bool = False
    cache_bytes: int = 1 << 30
    scratch_bytes: int = 16 << 30
    checkpoint_steps: int = 0
    tensorboard: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden_units", tuple(self.hidden_units))
        if self.class_weights != BALANCED:
            object.__setattr__(self, "class_weights", tuple(self.class_weights))
        wrong = [*self._wrong_numbers(), *self._wrong_choices(), *self._wrong_together()]
        if wrong:
            raise ValueError(" ".join(wrong))

    @property
    def has_open_ports(self) -> bool:
        """Whether workers have ports that serve anyone: not with one worker, which has no port."""
        return self.collective == "tensorflow" and self.num_workers > 1

    @property
    def references(self) -> tuple[str, ...]:
        """The user's functions that these settings name."""
        return tuple(reference for reference in (self.model, self.callbacks) if ":" in reference)

    @property
    def is_users_model(self) -> bool:
        """Whether `model` names a user's function."""
        return ":" in self.model

    @property
    def rows_per_range(self) -> int:
        """b: how many rows of each range a global batch holds."""
        return max(1, round(self.batch_size / self.num_row_ranges))

    def _wrong_numbers(self) -> Iterator[str]:
        for name in _COUNTS:
            yield from self._unless(name, getattr(self, name) >= 1, "at least 1")
        for name in ("early_stopping_patience", "checkpoint_steps", "cache_bytes", "scratch_bytes"):
            yield from self._unless(name, getattr(self, name) >= 0, "0 or more")
        yield from self._unless("hidden_units", all(u >= 1 for u in self.hidden_units), "each at least 1")
        yield from self._unless(
            "hidden_units", bool(self.hidden_units), "at least one layer (or model='linear')"
        )
        yield from self._unless("learning_rate", 0 < self.learning_rate < math.inf, "a positive number")
        is_time = 0 < self.timeout_seconds < math.inf
        yield from self._unless("timeout_seconds", is_time, "a positive number of seconds")
        yield from self._unless("l2", 0 <= self.l2 < math.inf, "0 or a positive number")
        yield from self._unless("seed", 0 <= self.seed < 2**31, "0 to 2**31 - 1")
        yield from self._unless("ngrams", 1 <= self.ngrams <= _MAX_NGRAMS, "1 or 2")
        is_share = 0 <= self.validation_share <= _MAX_VALIDATION_SHARE
        yield from self._unless("validation_share", is_share, "0 to 0.5")
        yield from self._unless("warmup_share", 0 <= self.warmup_share < 1, "at least 0 and below 1")

    def _wrong_choices(self) -> Iterator[str]:
        yield from self._unless("model", self.model in _BUILT_IN or self.is_users_model, _MODELS)
        is_used = self.l2 == 0 or not self.is_users_model
        yield from self._unless("l2", is_used, "0: add regularizers in your own model")
        for name, choices in _CHOICES.items():
            yield from self._unless(name, getattr(self, name) in choices, f"one of {choices}")
        is_reference = not self.callbacks or ":" in self.callbacks
        yield from self._unless("callbacks", is_reference, "'package.module:function'")
        are_positive = isinstance(self.class_weights, str) or all(
            0 < weight < math.inf for weight in self.class_weights
        )
        is_known = self.class_weights == BALANCED or not isinstance(self.class_weights, str)
        expected = "one positive number per class, or 'balanced'"
        yield from self._unless("class_weights", are_positive and is_known, expected)

    def _wrong_together(self) -> Iterator[str]:
        if self.early_stopping_patience and not self.validation_share:
            yield (
                f"early_stopping_patience is {self.early_stopping_patience} and validation_share is 0: expected rows "
                "to validate on. Set validation_share, such as 0.1."
            )
        if self.num_workers > self.num_row_ranges:
            yield (
                f"num_workers is {self.num_workers}: expected at most num_row_ranges, which is "
                f"{self.num_row_ranges}, since each worker trains on whole ranges. Raise num_row_ranges."
            )
        if self.has_open_ports and not self.network_is_isolated:
            yield (
                "collective is 'tensorflow' and network_is_isolated is False: TensorFlow's gRPC port listens on "
                "every interface without authentication, and who reaches it can read and write files as the "
                "worker does and run what he likes. Expected a network that only this application reaches: "
                "apply deploy/kubernetes/network-policy.yaml or a firewall and set network_is_isolated = true, "
                "or use collective = 'authenticated'."
            )

    def _unless(self, name: str, condition: bool, expected: str) -> Iterator[str]:
        if not condition:
            yield f"{name} is {getattr(self, name)!r}: expected {expected}. Correct the setting."
