"""How far off P(vote | class) and the class balance may be: standard errors of a Dawid-Skene fit.

The inverse of the observed information, minus the second derivatives of the log posterior (Efron and Hinkley 1978),
in the form for expectation maximisation (Louis 1982): with u_c the scores if the class of a pattern were known to be
c, r_c = P(y = c | pattern) and s = Σ_c r_c u_c, it is I(classes known) - Σ r_c u_c u_cᵀ + Σ s sᵀ. Parameters are
log-odds against the last class: of LF i's vote a on class c the score is [λ_i = a] - P(a | c) where it votes, of
the class balance [y = c] - P(y = c). The prior's own information is added, with its means taken as known.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dp_spark.counting.patterns import PatternCounts
from dp_spark.label_model.model import Vector
from dp_spark.labeling.votes import classes_of

MAX_JOINT = 2000  # parameters whose information is inverted at once: 32 MiB, seconds
BLOCK_CELLS = 1 << 22  # of the scores of a block of patterns: 32 MiB

Scope = Literal["joint", "per LF", "none"]


@dataclass(frozen=True, eq=False)
class ClassFit:
    """A fit of m LFs and k classes to P patterns, at its maximum.

    Attributes:
        patterns: what it was fitted to; if they are sampled, to the sample alone.
        posterior: (P, k) P(y = c | pattern).
        confusion: (m, k, k) P(vote a | class c), [i, c, a].
        balance: (k,) P(y = c).
        prior_votes: that the prior of a row of `confusion` counts as.
        balance_prior: data points that the prior of the balance counts as; None: the balance is known.
    """

    patterns: PatternCounts
    posterior: Vector
    confusion: Vector
    balance: Vector
    prior_votes: float
    balance_prior: float | None

    @property
    def times(self) -> Vector:
        """On how many data points each pattern occurs: (P,) float64."""
        return self.patterns.counts.astype(np.float64)

    @property
    def excess(self) -> Vector:
        """The weight of each pattern in what sampling adds to the products of scores: (P,).

        A pattern is kept or lost with all of its data points, so that they do not vary independently.
        """
        return (1 - self.patterns.sample_rate) * self.times * (self.times - 1)

    @property
    def num_free(self) -> int:
        """How many parameters the class balance has: k - 1; 0 if it is known."""
        return 0 if self.balance_prior is None else len(self.balance) - 1

    @property
    def accuracies(self) -> Vector:
        """P(vote = y | the LF votes): (m,)."""
        return np.asarray(np.einsum("icc,c->i", self.confusion, self.balance))


@dataclass(frozen=True, eq=False)
class ClassErrors:
    """Standard errors; infinite where the fit is not at a maximum, or too large.

    Attributes:
        accuracies: (m,).
        balance: (k,); 0 if the balance is known.
        scope: "joint": of all parameters at once; "per LF": as if all others were known; "none".
    """

    accuracies: Vector
    balance: Vector
    scope: Scope


def class_errors(fit: ClassFit) -> ClassErrors:
    """Standard errors of the accuracies and the class balance, by the delta method.

    Memory is at most six matrices of MAX_JOINT² and three blocks of BLOCK_CELLS, of float64: 300 MiB.
    """
    m, k = fit.confusion.shape[:2]
    if m * k * (k - 1) + fit.num_free <= MAX_JOINT:
        errors = _errors(_gradients(fit), *_joint(fit))
        return ClassErrors(errors[:m], errors[m:], "joint")
    balance = _errors(_balance_gradients(fit), *_of_balance(fit))
    if k * (k - 1) > MAX_JOINT:
        return ClassErrors(np.full(m, np.inf), balance, "none")
    of_balance = _errors(_balance_parts(fit), *_of_balance(fit))
    own = np.array([_errors(_own_gradients(fit, i), *_of_lf(fit, i))[0] for i in range(m)])
    return ClassErrors(np.hypot(own, of_balance), balance, "per LF")


def _errors(gradients: Vector, information: Vector, excess: Vector) -> Vector:
    """√(g V gᵀ) of each gradient g, V = H⁻¹ + H⁻¹ E H⁻¹; infinite if H is not positive definite.

    Args:
        gradients: (number of errors, number of parameters).
        information: H.
        excess: E, what sampling patterns adds to the products of scores.
    """
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return np.full(len(gradients), np.inf)
    solved = np.linalg.solve(information, gradients.T)
    return np.asarray(np.sqrt((gradients.T * solved + solved * (excess @ solved)).sum(axis=0)))


def _gradients(fit: ClassFit) -> Vector:
    """Of the accuracies and the class balance in all parameters, [class, LF, vote] and then the balance's."""
    m, k = fit.confusion.shape[:2]
    of_lfs = np.zeros((m + k, k, m, k - 1))
    for i in range(m):
        of_lfs[i, :, i] = _own_gradients(fit, i).reshape(k, k - 1)
    of_balance = np.concatenate([_balance_parts(fit), _balance_gradients(fit)])
    return np.concatenate([of_lfs.reshape(m + k, -1), of_balance], axis=1)


def _own_gradients(fit: ClassFit, lf: int) -> Vector:
    """Of an LF's accuracy in its own parameters: (1, k (k - 1)), [class, vote]."""
    k, confusion = len(fit.balance), fit.confusion[lf]
    right = fit.balance * np.diag(confusion)
    return np.asarray((right[:, None] * (np.eye(k) - confusion))[:, :-1].reshape(1, -1))


def _balance_parts(fit: ClassFit) -> Vector:
    """Of the accuracies in the parameters of the balance: (m, num_free)."""
    right = np.einsum("icc->ic", fit.confusion)
    return np.asarray((fit.balance * (right - fit.accuracies[:, None]))[:, : fit.num_free])


def _balance_gradients(fit: ClassFit) -> Vector:
    """Of the balance in its parameters: (k, num_free)."""
    return np.asarray((fit.balance[:, None] * (np.eye(len(fit.balance)) - fit.balance))[:, : fit.num_free])


def _joint(fit: ClassFit) -> tuple[Vector, Vector]:
    """The information of all parameters, and what sampling patterns adds to the products of their scores."""
    m, k = fit.confusion.shape[:2]
    width, size = m * (k - 1), m * k * (k - 1) + fit.num_free
    information, excess, num_votes = np.zeros((size, size)), np.zeros((size, size)), np.zeros((m, k))
    of_class = [np.r_[c * width : (c + 1) * width, k * width : size] for c in range(k)]
    num_rows = max(1, BLOCK_CELLS // (size + k * k))
    for first in range(0, len(fit.times), num_rows):
        block = slice(first, first + num_rows)
        times, shares = fit.times[block], fit.posterior[block]
        num_votes += (fit.patterns.votes[block] != 0).T @ (times[:, None] * shares)
        known = _known_scores(fit, block)
        for c in range(k):
            information[np.ix_(of_class[c], of_class[c])] -= _products(known[c], times * shares[:, c])
        known *= shares.T[:, :, None]
        scores = np.concatenate([*known[:, :, :width], known[:, :, width:].sum(axis=0)], axis=1)
        information += _products(scores, times)
        if fit.patterns.log2_rate:
            excess += _products(scores, fit.excess[block])
    for c, i in np.ndindex(k, m):
        own = slice(c * width + i * (k - 1), c * width + (i + 1) * (k - 1))
        num_observations = float(num_votes[i, c]) + fit.prior_votes
        information[own, own] += _of_multinomial(fit.confusion[i, c], num_observations)
    if fit.balance_prior is not None:
        num_observations = float(fit.times.sum()) + k * fit.balance_prior
        information[k * width :, k * width :] += _of_multinomial(fit.balance, num_observations)
    return information, excess


def _known_scores(fit: ClassFit, block: slice) -> Vector:
    """The scores of each pattern if its class were known: (k, patterns, m (k - 1) + num_free)."""
    votes, k = fit.patterns.votes[block], len(fit.balance)
    cast = (votes[:, :, None] == np.array(classes_of(k)[:-1])).astype(np.float64)
    scores = np.empty((k, len(votes), cast[0].size + fit.num_free))
    for c in range(k):
        of_lfs = cast - (votes != 0)[:, :, None] * fit.confusion[:, c, :-1]
        scores[c, :, : cast[0].size] = of_lfs.reshape(len(votes), -1)
        scores[c, :, cast[0].size :] = (np.eye(k)[c] - fit.balance)[: fit.num_free]
    return scores


def _of_balance(fit: ClassFit) -> tuple[Vector, Vector]:
    """As `_joint`, of the balance's parameters alone."""
    if fit.balance_prior is None:
        return np.zeros((0, 0)), np.zeros((0, 0))
    scores = (fit.posterior - fit.balance)[:, :-1]
    information = _own_information(
        fit.times @ fit.posterior, fit.balance, len(fit.balance) * fit.balance_prior
    )
    return information + _products(scores, fit.times), _products(scores, fit.excess)


def _of_lf(fit: ClassFit, lf: int) -> tuple[Vector, Vector]:
    """As `_joint`, of one LF's parameters alone, [class, vote]."""
    k, votes = len(fit.balance), np.ascontiguousarray(fit.patterns.votes[:, lf])
    joint, excess = np.zeros((k, k, k)), np.zeros((k, k, k))  # [vote, class, class]: sums of r_c r_d
    for position, a in enumerate(classes_of(k)):
        rows = np.flatnonzero(votes == a)
        joint[position] = _products(fit.posterior[rows], fit.times[rows])
        if fit.patterns.log2_rate:
            excess[position] = _products(fit.posterior[rows], fit.excess[rows])
    information = _score_products(joint, fit.confusion[lf])
    soft_counts, q = joint.sum(axis=2).T, k - 1
    for c in range(k):
        own = slice(c * q, (c + 1) * q)
        information[own, own] += _own_information(soft_counts[c], fit.confusion[lf, c], fit.prior_votes)
    return information, _score_products(excess, fit.confusion[lf])


def _score_products(joint: Vector, confusion: Vector) -> Vector:
    """Σ s sᵀ of one LF, s_ca = r_c ([vote = a] - P(a | c)), from the sums of r_c r_d by vote: [vote, c, d]."""
    k = len(confusion)
    by_vote, rates = joint[:-1], confusion[:, :-1]
    mixed = np.einsum("acd,db->cadb", by_vote, rates)
    products = (
        np.einsum("cd,ca,db->cadb", joint.sum(axis=0), rates, rates) - mixed - mixed.transpose(2, 3, 0, 1)
    )
    votes = np.arange(k - 1)
    products[:, votes, :, votes] += by_vote
    return np.asarray(products.reshape(k * (k - 1), -1))


def _own_information(soft_counts: Vector, probabilities: Vector, prior: float) -> Vector:
    """Of one multinomial: what known classes would tell, less the squares of its scores, with the prior.

    Args:
        soft_counts: (k,) expected counts of its outcomes.
        probabilities: (k,).
        prior: observations that the prior counts as.
    """
    mixed = np.outer(soft_counts, probabilities)
    total = float(soft_counts.sum())
    squares = np.diag(soft_counts) - mixed - mixed.T + total * np.outer(probabilities, probabilities)
    return _of_multinomial(probabilities, total + prior) - np.asarray(squares[:-1, :-1])


def _of_multinomial(probabilities: Vector, num_observations: float) -> Vector:
    """The information of the log-odds against the last outcome: (k - 1, k - 1)."""
    p = probabilities[:-1]
    return np.asarray(num_observations * (np.diag(p) - np.outer(p, p)))


def _products(rows: Vector, weights: Vector) -> Vector:
    """Σ w x xᵀ over rows x, with weights of 0 or more."""
    scaled = rows * np.sqrt(weights)[:, None]
    return np.asarray(scaled.T @ scaled)
