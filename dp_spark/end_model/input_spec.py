"""What an end model takes and returns, as a user's own model function is told; no Spark, no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass

from dp_spark.labels.input_columns import InputPart

# How a text is cut, the same in TensorFlow's RE2 and in Java: white space separates, letters and digits join,
# any other character is a token of its own: "://" says more about a text than the one link it stands in.
WHITE_SPACE = r"[\p{Z}\p{Cc}]+"
OTHER_CHARACTER = r"([^\p{L}\p{M}\p{N} ])"


@dataclass(frozen=True)
class InputSpec:
    """What a model takes and returns, for a user's `build_model(inputs: InputSpec)`.

    A model of one part is called with its tensor, a model of several parts with a dictionary of them,
    by name: "features", (batch, num_features) float32; "text", (batch, 1) strings; "categories",
    (batch, c) strings. It must return logits, without an activation: shape (None, 1) for two classes, the
    log-odds of the second one; (None, num_classes) else.

    Attributes:
        parts: which of "features", "text" and "categories" there are, in this order.
        num_features: d; 0 without features.
        vocabulary: for text, the most frequent tokens of the training set, most frequent first, as
            `keras.layers.TextVectorization` takes them, with the standardization
            `dp_spark.end_model.tokens.separate_tokens`; empty without text.
        ngrams: 1, or 2 if the vocabulary holds pairs of neighbouring tokens too.
        category_vocabularies: for each column of categories its most frequent values in the training
            set, most frequent first, as `keras.layers.StringLookup` takes them.
        num_classes: k, at least 2.
        feature_means: d numbers to subtract from the features, if they are to be standardized.
        feature_variances: d numbers whose roots divide them then.
    """

    parts: tuple[InputPart, ...]
    num_features: int = 0
    vocabulary: tuple[str, ...] = ()
    ngrams: int = 1
    category_vocabularies: tuple[tuple[str, ...], ...] = ()
    num_classes: int = 2
    feature_means: tuple[float, ...] = ()
    feature_variances: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("parts", "vocabulary", "feature_means", "feature_variances"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        categories = tuple(map(tuple, self.category_vocabularies))
        object.__setattr__(self, "category_vocabularies", categories)

    @property
    def kind(self) -> str:
        """The part, or the parts joined by " and "."""
        return " and ".join(self.parts)

    @property
    def num_logits(self) -> int:
        """1 for two classes, k else."""
        return 1 if self.num_classes == 2 else self.num_classes

    @property
    def widths(self) -> Mapping[InputPart, int]:
        """How many values a data point has in each part."""
        of_part = {"features": self.num_features, "text": 1, "categories": len(self.category_vocabularies)}
        return {part: of_part[part] for part in self.parts}
