"""95% intervals from standard errors."""

import numpy as np

from dp_spark.label_model.model import Vector

INTERVAL_ERRORS = 1.959964  # standard errors to each side of a 95% interval


def intervals_of(probabilities: Vector, errors: Vector, within: Vector | None = None) -> Vector:
    """95% intervals of probabilities: (m, 2), within 0 and 1; 0 to 1 where the error is infinite.

    Args:
        probabilities: (m,).
        errors: (m,) their standard errors.
        within: (m,) other estimates of the same, which intervals are widened to hold.
    """
    reach, others = INTERVAL_ERRORS * errors, probabilities if within is None else within
    low, high = np.minimum(probabilities - reach, others), np.maximum(probabilities + reach, others)
    return np.asarray(np.clip(np.stack([low, high], axis=1), 0.0, 1.0))
