"""How probabilities are scored: who earns the credit of a row, and in which bin its confidence lies.

Labels, predictions and the calibration of label models are scored alike.
"""

import numpy as np
import numpy.typing as npt

NUM_BINS = 10  # of confidence, from 1 / k to 1
EDGE_DIGITS = (
    9  # confidences are rounded to so many digits of a bin's width: at an edge the last bits decide nothing
)
TIE_TOLERANCE = (
    2e-9  # classes this close to the most probable one share the credit: for k = 2, within 1e-9 of 1/2
)
NEAR_TIE = 0.01  # classes closer than this to the most probable one: the votes hardly say which it is
TIED = "tied"  # what texts call rows of which several classes share the credit
MIN_PROBABILITY = 1e-15  # log loss clips probabilities here, so that one wrong certainty costs 34.5 nats

Vector = npt.NDArray[np.float64]


def predicted_shares(probs: Vector) -> Vector:
    """How much of each row is predicted as each class: 1 for the most probable, a share each if several tie.

    Args:
        probs: (n, k), probabilities.

    Returns:
        (n, k); rows sum to 1.

    >>> predicted_shares(np.array([[0.2, 0.8], [0.5, 0.5]])).tolist()
    [[0.0, 1.0], [0.5, 0.5]]
    """
    tied = probs >= probs.max(axis=1, keepdims=True) - TIE_TOLERANCE
    return np.asarray(tied / tied.sum(axis=1, keepdims=True))


def bin_positions(confidence: Vector, num_classes: int) -> npt.NDArray[np.int64]:
    """The bin of each confidence: (low, high] of NUM_BINS bins of equal width from 1 / k to 1.

    Args:
        confidence: (n,), probabilities of the most probable class.
        num_classes: k.

    Returns:
        (n,), 0 to NUM_BINS - 1.
    """
    low, width = 1 / num_classes, (1 - 1 / num_classes) / NUM_BINS
    widths = np.round((confidence - low) / width, EDGE_DIGITS)
    return np.asarray(np.clip(np.ceil(widths).astype(np.int64) - 1, 0, NUM_BINS - 1))
