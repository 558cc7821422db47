"""95% intervals from standard errors."""

import numpy as np

from dp_spark.label_model.model import Vector

INTERVAL_ERRORS = 1.959964  # standard errors to each side of a 95% interval


def widened(intervals: Vector, within: Vector) -> Vector:
    """The intervals, (m, 2), as far as they have to reach to hold these values, (m,)."""
    low, high = np.minimum(intervals[:, 0], within), np.maximum(intervals[:, 1], within)
    return np.stack([low, high], axis=1)


def intervals_of(probabilities: Vector, errors: Vector) -> Vector:
    """95% intervals of probabilities: (m, 2), within 0 and 1; 0 to 1 where the error is infinite.

    Args:
        probabilities: (m,).
        errors: (m,) their standard errors.
    """
    reach = INTERVAL_ERRORS * errors
    return np.asarray(np.clip(np.stack([probabilities - reach, probabilities + reach], axis=1), 0.0, 1.0))
