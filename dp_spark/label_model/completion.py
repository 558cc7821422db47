"""Rank-one completion of the agreement matrix: find q with Z ≈ q qᵀ off the diagonal.

Two solvers for min over q of Σ_{i<j} w_ij (Z_ij - q_i q_j)²: a damped Newton method that converges to the
optimum in tens of steps, and the tutorial's plain gradient descent (step 2.ii), kept as the reference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dp_spark.errors import DivergedError
from dp_spark.label_model.model import Vector

Status = Literal["converged", "reached max_steps"]

GRADIENT_TOLERANCE = 1e-10  # on the largest component of the projected gradient; weights have mean 1
FIRST_DAMPING = 1e-3
DAMPING_GROWTH = 4.0
DAMPING_DECAY = 1 / 3
NOTED_STEPS = 50
MAX_DAMPING = 1e12  # no step this short can lower the loss in float64: what is left is rounding


@dataclass(frozen=True)
class Completion:
    """Where a solver ended.

    Attributes:
        q: (m,) float64 in [-1, 1]; its sign as a whole is arbitrary.
        loss: Σ_{i<j} w_ij (Z_ij - q_i q_j)² in the weights that were given.
        status: "converged", or "reached max_steps" if it was stopped before.
        num_steps: steps taken.
        gradient: largest component of the projected gradient, at weights scaled to mean 1.
        losses: the loss by step, from step 0, which is the start: (step, loss) pairs; of gradient descent every
            NOTED_STEPS steps.
    """

    q: Vector
    loss: float
    status: Status
    num_steps: int
    gradient: float
    losses: tuple[tuple[int, float], ...]


def complete_rank_one(Z: Vector, weights: Vector, *, max_steps: int = 200) -> Completion:
    """The weighted least-squares fit of q qᵀ to the off-diagonal of Z, within |q_i| <= 1.

    The loss has saddles and, on noisy input, other minima: it is minimised from two starts (all q equal,
    and the leading eigenvector of the weighted Z) and the lower end is taken.

    Args:
        Z: (m, m) symmetric, in [-1, 1].
        weights: (m, m) symmetric, >= 0; 0 leaves a pair out. The diagonal is ignored.
        max_steps: of each start.

    Raises:
        ValueError: if shapes differ, or no pair has a positive weight.
        DivergedError: if the loss is not finite.
    """
    if Z.shape != weights.shape or Z.ndim != 2 or Z.shape[0] != Z.shape[1]:
        raise ValueError(f"Z has shape {Z.shape} and weights {weights.shape}: expected two (m, m) arrays.")
    weights = np.where(np.eye(len(Z), dtype=bool), 0.0, weights.astype(np.float64))
    if not (weights > 0).any():
        raise ValueError("no pair of labeling functions has a positive weight: there is nothing to fit.")
    return _completed(Z.astype(np.float64).tobytes(), weights.tobytes(), len(Z), max_steps)


@lru_cache(maxsize=1)  # where no LFs depend on each other, the fit that shows it is the fit that is used
def _completed(Z_bytes: bytes, weights_bytes: bytes, num_lfs: int, max_steps: int) -> Completion:
    Z, weights = (np.frombuffer(content).reshape(num_lfs, num_lfs) for content in (Z_bytes, weights_bytes))
    scale = float(weights[weights > 0].mean())
    ends = [_newton(Z, weights / scale, start, max_steps) for start in _starts(Z, weights)]
    best = min(ends, key=lambda end: end.loss)
    best.q.setflags(write=False)
    losses = tuple((step, loss * scale) for step, loss in best.losses)
    return Completion(best.q, best.loss * scale, best.status, best.num_steps, best.gradient, losses)


def gradient_descent(
    Z: Vector,
    observed: npt.NDArray[np.bool_],
    *,
    seed: int,
    num_steps: int = 5000,
    learning_rate: float = 0.0005,
) -> Completion:
    """The tutorial's fit: plain gradient descent on Σ_{i≠j} (Z_ij - q_i q_j)², unweighted.  (Step 2.ii.)

    Args:
        Z: (m, m) symmetric.
        observed: (m, m) bool; pairs that enter the loss. The diagonal never does.
        seed: of the start q ~ N(0.5, 0.15).
        num_steps: steps taken, whatever happens: the tutorial has no stopping rule.
        learning_rate: the tutorial's 0.0005 suits m = 20; it must fall as m grows.

    Raises:
        DivergedError: if q is not finite at the end.
    """
    mask = tf.constant(observed & ~np.eye(len(Z), dtype=bool), tf.float64)
    z = tf.constant(Z, tf.float64)
    rate = tf.constant(learning_rate, tf.float64)
    q = tf.constant(np.random.default_rng(seed).normal(0.5, 0.15, len(Z)), tf.float64)
    losses = [(0, float(_loss(z, mask, q)))]
    for taken in range(0, num_steps, NOTED_STEPS):
        last = min(taken + NOTED_STEPS, num_steps)
        q = _descend(z, mask, q, rate, tf.constant(last - taken))
        losses.append((last, float(_loss(z, mask, q))))
    if not np.isfinite(q.numpy()).all():
        raise DivergedError(
            f"gradient descent on m={len(Z)} labeling functions diverged at learning_rate={learning_rate}: "
            "expected finite accuracies. Lower the rate, or use model='one_coin', which needs none."
        )
    gradient = float(tf.reduce_max(tf.abs(_gradient(z, mask, q))))
    status: Status = "converged" if gradient < GRADIENT_TOLERANCE else "reached max_steps"
    return Completion(q.numpy(), losses[-1][1], status, num_steps, gradient, tuple(losses))


@tf.function  # type: ignore[untyped-decorator] # TensorFlow ships no types
def _descend(z: tf.Tensor, mask: tf.Tensor, q: tf.Tensor, rate: tf.Tensor, num_steps: tf.Tensor) -> tf.Tensor:
    for _ in tf.range(num_steps):
        q = q - rate * 2 * _gradient(z, mask, q)  # the tutorial's loss counts each pair twice
    return q


def _newton(Z: Vector, weights: Vector, q: Vector, max_steps: int) -> Completion:
    """Newton's method with Levenberg's damping; a q_i at ±1 whose gradient points outward stays there."""
    z, w = tf.constant(Z, tf.float64), tf.constant(weights, tf.float64)
    loss, gradient, hessian = _derivatives_at(z, w, q)
    damping, num_steps, size = FIRST_DAMPING, 0, 0.0
    status: Status = "reached max_steps"
    losses = [(0, loss)]
    if not np.isfinite(loss):
        raise DivergedError("the agreement matrix holds values that are not finite: expected [-1, 1].")
    while num_steps < max_steps:
        free = (np.abs(q) < 1) | (gradient * q > 0)
        size = float(np.abs(gradient * free).max())
        if size < GRADIENT_TOLERANCE or damping > MAX_DAMPING:
            status = "converged"
            break
        num_steps += 1
        step = _damped_step(hessian, gradient, free, damping)
        new_q = q if step is None else np.clip(q + step, -1.0, 1.0)
        new = None if step is None else _derivatives_at(z, w, new_q)
        if new is not None and new[0] < loss:
            q, damping = new_q, damping * DAMPING_DECAY
            loss, gradient, hessian = new
        else:
            damping *= DAMPING_GROWTH
        losses.append((num_steps, loss))
    return Completion(q, loss, status, num_steps, size, tuple(losses))


def _derivatives_at(z: tf.Tensor, w: tf.Tensor, q: Vector) -> tuple[float, Vector, Vector]:
    rows = _derivative_graph()(z, w, tf.constant(q, tf.float64)).numpy()
    return float(rows[0, 0]), rows[1], rows[2:]


@cache
def _derivative_graph() -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """The graph of `_derivatives` itself: looking it up for the arguments of each step takes as long as running it."""
    return cast(
        "Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]", _derivatives.get_concrete_function()
    )


@tf.function(  # type: ignore[untyped-decorator] # TensorFlow ships no types
    input_signature=[
        tf.TensorSpec([None, None], tf.float64),
        tf.TensorSpec([None, None], tf.float64),
        tf.TensorSpec([None], tf.float64),
    ]
)
def _derivatives(z: tf.Tensor, w: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
    """Loss (in every column), gradient and Hessian, row by row: (2 + m, m).

    One graph for every m and one result, as a step of few LFs is mostly calls into TensorFlow.
    """
    loss = tf.fill([1, tf.size(q)], _loss(z, w, q))
    return tf.concat([loss, _gradient(z, w, q)[None], _hessian(z, w, q)], axis=0)


def _loss(z: tf.Tensor, w: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
    """Σ_{i<j} w_ij (Z_ij - q_i q_j)²."""
    return tf.reduce_sum(w * (z - q[:, None] * q[None, :]) ** 2) / 2


def _gradient(z: tf.Tensor, w: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
    """-2 Σ_j w_ij (Z_ij - q_i q_j) q_j."""
    return -2 * tf.linalg.matvec(w * (z - q[:, None] * q[None, :]), q)


def _hessian(z: tf.Tensor, w: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
    """2 w_ij (2 q_i q_j - Z_ij) off the diagonal, 2 Σ_j w_ij q_j² on it."""
    off = 2 * w * (2 * q[:, None] * q[None, :] - z)
    return tf.linalg.set_diag(off, 2 * tf.linalg.matvec(w, q**2))


def _damped_step(
    hessian: Vector, gradient: Vector, free: npt.NDArray[np.bool_], damping: float
) -> Vector | None:
    """-(H + damping)⁻¹ g over the free variables, or None if that matrix is not positive definite."""
    damped = hessian * free[:, None] * free[None, :]
    np.fill_diagonal(damped, np.where(free, hessian.diagonal() + damping, 1.0))
    try:
        factor = np.linalg.cholesky(damped)
    except np.linalg.LinAlgError:
        return None
    half = np.linalg.solve(factor, gradient * free)
    return np.asarray(-np.linalg.solve(factor.T, half))


def _starts(Z: Vector, weights: Vector) -> list[Vector]:
    values, vectors = np.linalg.eigh(Z * weights)
    leading = vectors[:, -1] / max(float(np.abs(vectors[:, -1]).max()), np.finfo(float).tiny)
    return [np.full(len(Z), 0.5), 0.7 * leading]
