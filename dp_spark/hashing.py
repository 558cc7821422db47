"""A 64-bit hash of integers in NumPy, the same on every machine (splitmix64; Steele, Lea, Flood 2014)."""

import numpy as np
import numpy.typing as npt

UInts = npt.NDArray[np.uint64]

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)  # the odd number by which splitmix64 steps


def mixed(x: UInts) -> UInts:
    """The finalizer of splitmix64: a bijection in which every input bit moves every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
