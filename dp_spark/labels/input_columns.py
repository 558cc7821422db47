"""Which columns of a table an end model sees, in up to three parts; without Spark or TensorFlow.

A model of one part is called with that part, a model of several with a dictionary of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

InputPart = Literal["features", "text", "categories"]
PARTS: tuple[InputPart, ...] = ("features", "text", "categories")  # also the columns of a shard


@dataclass(frozen=True)
class InputColumns:
    """The columns that a model's inputs are made of; at least one.

    Attributes:
        features: array columns and number columns, whose values form one vector in this order.
        text: one string column.
        categories: string, boolean and integer columns; each value counts as a category.
        feature_widths: how many numbers each column of `features` gives; empty while it is not known.

    Raises:
        ValueError: if no column is named, one is named twice in a part, or a list is a text.
    """

    features: tuple[str, ...] = ()
    text: str | None = None
    categories: tuple[str, ...] = ()
    feature_widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("features", "categories"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise ValueError(f"{name} is the text {given!r}: expected a list of column names.")
            columns = tuple(given or ())
            if len(set(columns)) < len(columns):
                raise ValueError(f"{name} is {list(columns)}: expected every column once. Leave one out.")
            object.__setattr__(self, name, columns)
        object.__setattr__(self, "feature_widths", tuple(self.feature_widths))
        if not self.parts:
            raise ValueError(
                f"features is {self.features}, text is {self.text!r} and categories is {self.categories}: "
                "expected at least one column. Name the columns that the end model may see."
            )

    @staticmethod
    def of(
        features: Sequence[str] | None, text: str | None, categories: Sequence[str] | None
    ) -> "InputColumns":
        """The columns as a configuration gives them; raises as the class."""
        return InputColumns(features or (), text or None, categories or ())  # type: ignore[arg-type] # checked there

    @property
    def parts(self) -> tuple[InputPart, ...]:
        """The parts that are there, in the order of `PARTS`."""
        return tuple(part for part in PARTS if getattr(self, part))

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.features, *([self.text] if self.text else []), *self.categories)

    @property
    def num_features(self) -> int:
        """d: the length of the feature vector; 0 without features."""
        return sum(self.feature_widths)
