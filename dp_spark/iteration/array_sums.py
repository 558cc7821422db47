"""Named arrays that add up over parts of a table."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArraySums:
    """Sums of rows, as `count_batches` merges them.

    Attributes:
        arrays: by name; those of both sides of `+` have the same names, shapes and dtypes.
    """

    arrays: Mapping[str, Array]

    def __add__(self, other: Self) -> Self:
        """The sums over both parts together."""
        return type(self)({name: array + other.arrays[name] for name, array in self.arrays.items()})

    def to_bytes(self) -> bytes:
        """The sums as an .npz file."""
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **self.arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The sums that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(dict(arrays))
