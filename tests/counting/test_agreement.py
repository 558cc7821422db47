import numpy as np

from dp_spark import VoteCounts
from dp_spark.counting.agreement import (
    agreement_matrix,
    components,
    informative_pairs,
    is_identified,
    within_clusters,
)

VOTES = np.array([[1, 1, 0], [1, -1, 0], [-1, -1, 0], [0, 1, 1], [0, 0, 0]], dtype=np.int8)


def graph(num_nodes, *edges):
    pairs = np.zeros((num_nodes, num_nodes), dtype=bool)
    for i, j in edges:
        pairs[i, j] = pairs[j, i] = True
    return pairs


def test_z_is_the_share_of_agreements_less_the_share_of_disagreements():
    Z, observed = agreement_matrix(VoteCounts.from_votes(VOTES))
    assert Z[0, 1] == (2 - 1) / 3
    assert Z[1, 2] == 1.0
    assert observed.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_z_is_zero_where_a_pair_never_overlaps():
    Z, observed = agreement_matrix(VoteCounts.from_votes(VOTES))
    assert Z[0, 2] == 0
    assert not observed[0, 2]


def test_z_of_k_classes_is_zero_for_votes_that_agree_by_chance():
    votes = np.array([[a, b] for a in (1, 2, 3) for b in (1, 2, 3)], dtype=np.int8)
    Z, _ = agreement_matrix(VoteCounts.from_votes(votes, num_classes=3))
    assert abs(Z[0, 1]) < 1e-15


def test_pairs_of_one_sided_lfs_are_not_informative():
    votes = np.array([[1, 1, 1], [1, 1, -1], [0, 1, -1]], dtype=np.int8)
    assert informative_pairs(VoteCounts.from_votes(votes)).tolist() == [
        [False, False, True],
        [False, False, True],
        [True, True, False],
    ]


def test_components_are_found_with_isolated_nodes():
    assert components(graph(6, (0, 3), (3, 4), (1, 2))) == [[0, 3, 4], [1, 2], [5]]


def test_a_component_is_identified_if_it_has_an_odd_cycle():
    assert is_identified(graph(3, (0, 1), (1, 2), (0, 2)), [0, 1, 2])
    assert is_identified(graph(5, (0, 1), (1, 2), (2, 3), (3, 4), (4, 0)), [0, 1, 2, 3, 4])


def test_a_pair_a_chain_and_an_even_cycle_are_not_identified():
    assert not is_identified(graph(1), [0])
    assert not is_identified(graph(2, (0, 1)), [0, 1])
    assert not is_identified(graph(3, (0, 1), (1, 2)), [0, 1, 2])
    assert not is_identified(graph(4, (0, 1), (1, 2), (2, 3), (3, 0)), [0, 1, 2, 3])


def test_lfs_of_one_cluster_are_all_paired_with_each_other_and_with_no_other():
    found = within_clusters(graph(6, (0, 2), (2, 4), (1, 5)))
    assert (found == graph(6, (0, 2), (2, 4), (0, 4), (1, 5))).all()
