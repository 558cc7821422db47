"""The Poisson bootstrap: how often every row counts in every replicate, wherever the row lies.

A replicate draws rows with replacement; of many rows, each is drawn about Poisson(1) times, independently
of the others (Hanley and MacGibbon 2006; Chamandy et al. 2012, "Estimating uncertainty for massive data
streams"). The number is computed from a hash of the row's key and a seed. So it is the same for every
partitioning and every table of labels, and differences of tables are compared on the same replicates.
"""

from math import factorial

import numpy as np
import numpy.typing as npt

NUM_REPLICATES = 500
CONFIDENCE = 0.95
MIN_ROWS = 10  # a percentile interval of fewer rows says nothing: that of five right answers is [1, 1]

_WORD_UNIFORMS = 4  # uniform numbers of 16 bits in one 64-bit hash
_MAX_WEIGHT = 8  # more has a probability of 1e-6, less than 16 bits resolve
_GOLDEN = 0x9E3779B97F4A7C15
_MULTIPLIERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))

Units = npt.NDArray[np.int64]
Weights = npt.NDArray[np.uint8]


def _weight_table() -> Weights:
    """The weight of each 16-bit number u: how many of P(W <= 0), P(W <= 1), ... are below (u + 1/2) / 2^16."""
    cumulative = np.cumsum([np.exp(-1.0) / factorial(w) for w in range(_MAX_WEIGHT)])
    return np.searchsorted(cumulative, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.uint8)


_WEIGHT_OF = _weight_table()


def poisson_weights(units: Units, num_replicates: int, seed: int) -> Weights:
    """How often each unit counts in each replicate: Poisson(1), and a function of unit, replicate and seed alone.

    Args:
        units: (n,), hashes of what is drawn: of a row's key, or of its cluster.
        num_replicates: R, at least 0.
        seed: of all weights.

    Returns:
        (n, R).
    """
    start = _mixed(units.view(np.uint64) ^ _mixed(np.array([seed], np.uint64) + np.uint64(_GOLDEN)))
    num_words = -(-num_replicates // _WORD_UNIFORMS)
    with np.errstate(over="ignore"):
        counters = np.arange(1, num_words + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        words = _mixed(start[:, None] + counters)
    return np.asarray(_WEIGHT_OF[words.astype("<u8").view("<u2")[:, :num_replicates]])


def percentile_interval(values: npt.NDArray[np.float64], num_rows: int) -> tuple[float, float] | None:
    """The central 95% of the replicates of a statistic (Efron 1979); None of fewer than MIN_ROWS rows.

    Args:
        values: (R,); NaN where a replicate holds nothing to compute it of.
        num_rows: how many rows there are.
    """
    known = values[np.isfinite(values)]
    if num_rows < MIN_ROWS or len(known) == 0:
        return None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of splitmix64: every bit of the result depends on every bit of a word.  (Steele et al. 2014)"""
    with np.errstate(over="ignore"):
        for shift, multiplier in _MULTIPLIERS:
            words = (words ^ (words >> np.uint64(shift))) * np.uint64(multiplier)
        return words ^ (words >> np.uint64(31))
