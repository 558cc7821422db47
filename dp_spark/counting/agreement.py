"""The agreement matrix Z, where it says something, and for which LFs that is enough.

Source: the tutorial, step 2.ii; identifiability: Ma, Olshevsky, Saligrama and Szepesvari,
arXiv:1706.06660: q is determined by the off-diagonal entries of q qᵀ, up to one sign for each connected
component of the overlap graph, iff no component is bipartite (each holds an odd cycle).
"""

from collections import deque

import numpy as np
import numpy.typing as npt

from dp_spark.counting.vote_counts import VoteCounts

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def agreement_matrix(counts: VoteCounts) -> tuple[Matrix, Mask]:
    """Z = (k P(agree | both vote) - 1) / (k - 1), and where it was observed.  (Tutorial, 2.ii.)

    For two classes Z = 2 P(agree | both vote) - 1 = LᵀL / |L|ᵀ|L|. Under conditional independence
    E[Z] = q qᵀ off the diagonal, with q = (k p - 1) / (k - 1); for two classes q = 2p - 1.

    Args:
        counts: of m LFs.

    Returns:
        Z: (m, m) float64 in [-1 / (k - 1), 1]; 0 where not observed.
        observed: (m, m) bool; False on the diagonal (an LF always agrees with itself) and for
            pairs that never vote on the same data point.
    """
    k, overlaps = counts.num_classes, counts.overlaps
    observed = overlaps > 0
    np.fill_diagonal(observed, False)
    Z = (k * counts.agreements - overlaps) / np.maximum((k - 1) * overlaps, 1)
    return np.where(observed, Z, 0.0), observed


def informative_pairs(counts: VoteCounts) -> Mask:
    """Pairs whose agreement depends on their accuracies: (m, m) bool, symmetric, False on the diagonal.

    Two LFs that each vote for one class only always agree, or never, whatever their accuracies.
    """
    one_sided = is_one_sided(counts)
    observed = agreement_matrix(counts)[1]
    return np.asarray(observed & ~(one_sided[:, None] & one_sided[None, :]))


def is_one_sided(counts: VoteCounts) -> Mask:
    """Which LFs only ever vote for one class: (m,) bool."""
    return np.asarray((counts.votes_per_class > 0).sum(axis=1) == 1)


def components(pairs: Mask) -> list[list[int]]:
    """The connected components of the graph with these edges, each sorted; isolated nodes are their own.

    Args:
        pairs: (m, m) bool, symmetric.
    """
    found: list[list[int]] = []
    unseen = set(range(len(pairs)))
    while unseen:
        start = min(unseen)
        members = sorted(_two_colouring(pairs, start)[0])
        unseen.difference_update(members)
        found.append(members)
    return found


def clusters(pairs: Mask) -> list[list[int]]:
    """The components of two nodes or more."""
    return [members for members in components(pairs) if len(members) > 1]


def within_clusters(pairs: Mask) -> Mask:
    """All pairs of different nodes of one component: (m, m) bool, symmetric."""
    found = np.zeros_like(pairs)
    for members in clusters(pairs):
        found[np.ix_(members, members)] = True
    np.fill_diagonal(found, False)
    return found


def num_spare_pairs(pairs: Mask) -> int:
    """How many pairs there are more than LFs in them: the degrees of freedom that check a fit of accuracies."""
    return int(pairs.sum()) // 2 - int(pairs.any(axis=1).sum())


def is_identified(pairs: Mask, component: list[int]) -> bool:
    """Whether the accuracies of a component's LFs are determined up to its sign: it has an odd cycle.

    Args:
        pairs: (m, m) bool, symmetric.
        component: one of `components(pairs)`.
    """
    return _two_colouring(pairs, component[0])[1]


def _two_colouring(pairs: Mask, start: int) -> tuple[dict[int, int], bool]:
    """The colours of the nodes reached from `start`, and whether an edge joins equal colours."""
    colours, queue, odd_cycle = {start: 0}, deque([start]), False
    while queue:
        node = queue.popleft()
        for neighbour in map(int, np.flatnonzero(pairs[node])):
            if neighbour not in colours:
                colours[neighbour] = 1 - colours[node]
                queue.append(neighbour)
            odd_cycle |= colours[neighbour] == colours[node]
    return colours, odd_cycle
