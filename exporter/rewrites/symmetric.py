"""``SelfAdjointEigV2`` by implicit QR steps on a tridiagonal matrix; ONNX lacks it.

The signs of eigenvectors are free. Here they are TensorFlow's, because its Eigen
library uses the same method (``SelfAdjointEigenSolver``): reflections, then Wilkinson's
shifts. If a value is almost converged, the two engines may count one step more or less,
and a sign may turn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import tensorflow as tf

from exporter.rewrites.reflections import reflection
from exporter.rewrites.registry import lowering
from exporter.rewrites.rotation import Rotation, place, sorted_columns

# A step is some hundred operators.
_LARGEST = 64
# Eigen gives up after so many steps for each row; two are usual.
_STEPS = 30


@dataclass(frozen=True)
class _State:
    """The state of each matrix; one turn of the loop is one rotation.

    Attributes:
        diagonal: ``(..., n)``.
        beside: ``(..., n)``, the numbers beside the diagonal; the last is 0.
        vectors: ``(..., n, n)``.
        x: ``(..., 1)``, rotated away with z by the next rotation.
        z: ``(..., 1)``, see x.
        start: ``(..., 1)`` int32, the first row of the current block.
        end: ``(..., 1)`` int32, the last row; 0 when nothing is left.
    """

    diagonal: tf.Tensor
    beside: tf.Tensor
    vectors: tf.Tensor
    x: tf.Tensor
    z: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor

    def parts(self) -> tuple[tf.Tensor, ...]:
        return tuple(getattr(self, part.name) for part in fields(self))


@lowering("SelfAdjointEigV2")
def lower_eigenvalues(operation: tf.Operation, a: tf.Tensor) -> list[tf.Tensor] | None:
    """Eigenvalues, the least first, and eigenvectors as columns if asked for."""
    side = a.shape[-1]
    if side is None or side > _LARGEST:
        return None
    scale = tf.reduce_max(tf.abs(a), axis=[-2, -1], keepdims=True)
    scale = tf.where(tf.equal(scale, 0), tf.ones_like(scale), scale)
    # Only the lower triangle counts.
    lower = tf.linalg.band_part(a / scale, -1, 0)
    strict = lower - tf.linalg.diag(tf.linalg.diag_part(lower))
    a = lower + tf.linalg.matrix_transpose(strict)
    vectors = tf.zeros_like(a) + tf.eye(side, dtype=a.dtype)
    for k in range(side - 1):
        v, tau = reflection(a[..., k : k + 1], k + 1)
        flat = tf.linalg.matrix_transpose(v)
        a = a - tau * v * (flat @ a)
        a = a - tau * (a @ v) * flat
        vectors = vectors - tau * (vectors @ v) * flat
    values, vectors = _iterated(a, vectors, side) if side > 1 else (a[..., 0], vectors)
    values, order = tf.math.top_k(-values, side)
    vectors = sorted_columns(vectors, order)
    if not operation.get_attr("compute_v"):
        vectors = tf.zeros([0], a.dtype)
    return [-values * scale[..., 0], vectors]


def _iterated(
    a: tf.Tensor, vectors: tf.Tensor, side: int
) -> tuple[tf.Tensor, tf.Tensor]:
    diagonal = tf.linalg.diag_part(a)
    below = tf.concat([a[..., 1:, :], tf.zeros_like(a[..., :1, :])], axis=-2)
    nothing = diagonal[..., :1] * 0
    start = tf.cast(nothing, tf.int32)
    first = _State(
        diagonal, tf.linalg.diag_part(below), vectors, nothing, nothing, start,
        start + side - 1,
    )  # fmt: skip
    turns = side - 1

    def turn(i: tf.Tensor, *parts: tf.Tensor) -> tuple[tf.Tensor, ...]:
        k = tf.math.floormod(i, turns)
        state = _State(*parts)
        begun = _begun(state, side).parts()
        state = _State(
            *(
                tf.where(tf.equal(k, 0), new, old)
                for new, old in zip(begun, state.parts(), strict=True)
            )
        )
        return i + 1, *_stepped(state, k, side).parts()

    _, *parts = tf.while_loop(
        lambda i, *parts: tf.logical_and(
            i < _STEPS * side * turns,
            # The loop sees that everything is done when the next step would begin.
            tf.reduce_any(parts[-1] > 0),
        ),
        turn,
        (tf.constant(0), *first.parts()),
        shape_invariants=(
            tf.TensorShape([]), *(part.shape for part in first.parts()),
        ),
    )  # fmt: skip
    last = _State(*parts)
    return last.diagonal, last.vectors


def _begun(state: _State, side: int) -> _State:
    """Drop numbers that are small beside their neighbours; take the last block left."""
    diagonal, beside = state.diagonal, state.beside
    limits = np.finfo(diagonal.dtype.as_numpy_dtype)
    places = np.arange(side, dtype=np.int32)
    sizes = tf.abs(diagonal)
    around = sizes + tf.concat([sizes[..., 1:], tf.zeros_like(sizes[..., :1])], axis=-1)
    scaled = beside / float(limits.eps)
    is_small = tf.logical_or(
        tf.abs(beside) < float(limits.tiny), scaled * scaled <= around
    )
    is_looked_at = tf.logical_and(places >= state.start, places < state.end)
    beside = tf.where(
        tf.logical_and(is_small, is_looked_at), tf.zeros_like(beside), beside
    )
    is_zero = tf.equal(beside, 0)
    is_before = tf.logical_and(tf.logical_not(is_zero), places < state.end)
    end = tf.reduce_max(tf.where(is_before, places + 1, 0), axis=-1, keepdims=True)
    is_gap = tf.logical_and(is_zero, places < end - 1)
    start = tf.reduce_max(tf.where(is_gap, places + 1, 0), axis=-1, keepdims=True)
    last = _at(diagonal, end, places)
    half = (_at(diagonal, end - 1, places) - last) / 2
    e = _at(beside, end - 1, places)
    root = tf.sqrt(half * half + e * e)
    below = half + tf.where(half > 0, root, -root)
    one = tf.ones_like(below)
    shift = e * e / tf.where(tf.equal(below, 0), one, below)
    shift = tf.where(tf.equal(half, 0), tf.abs(e), shift)
    x = _at(diagonal, start, places) - (last - shift)
    z = _at(beside, start, places)
    return _State(diagonal, beside, state.vectors, x, z, start, end)


def _at(row: tf.Tensor, index: tf.Tensor, places: np.ndarray) -> tf.Tensor:
    """The number of each row at the row's own index."""
    chosen = tf.where(tf.equal(places, index), row, tf.zeros_like(row))
    return tf.reduce_sum(chosen, axis=-1, keepdims=True)


def _stepped(state: _State, k: tf.Tensor, side: int) -> _State:
    """Rotate rows and columns k and k + 1 if the block holds them."""
    d, b = state.diagonal, state.beside
    dtype = d.dtype
    places = np.arange(side, dtype=np.int32)
    is_on = tf.logical_and(
        tf.logical_and(k >= state.start, k < state.end), tf.not_equal(state.z, 0)
    )
    c, s = _given(state.x, state.z)
    d0, d1, b0 = _at(d, k, places), _at(d, k + 1, places), _at(b, k, places)
    before, after = _at(b, k - 1, places), _at(b, k + 1, places)
    upper = s * d0 + c * b0
    lower = s * b0 + c * d1
    new0 = c * (c * d0 - s * b0) - s * (c * b0 - s * d1)
    new1 = s * upper + c * lower
    new_b = c * upper - s * lower

    def put(row: tf.Tensor, index: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.logical_and(tf.equal(places, index), is_on), value, row)

    is_inside = k > state.start
    b = put(b, k - 1, tf.where(is_inside, c * before - s * state.z, before))
    b = put(b, k, new_b)
    has_next = k < state.end - 1
    z = tf.where(has_next, -s * after, state.z)
    b = put(b, k + 1, tf.where(has_next, c * after, after))
    d = put(put(d, k, new0), k + 1, new1)
    wide = (c[..., tf.newaxis], -s[..., tf.newaxis])
    turned = Rotation(*wide).only(is_on[..., tf.newaxis])
    vectors = turned.of_columns(
        state.vectors, place(k, side, dtype), place(k + 1, side, dtype)
    )
    return _State(
        d, b, vectors,
        tf.where(is_on, new_b, state.x), tf.where(is_on, z, state.z),
        state.start, state.end,
    )  # fmt: skip


def _given(p: tf.Tensor, q: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Givens's c and s, which turn (p, q) into (r, 0); q is not 0 if it matters."""
    one = tf.ones_like(p)
    safe_q = tf.where(tf.equal(q, 0), one, q)
    is_steep = tf.abs(p) > tf.abs(q)
    safe_p = tf.where(is_steep, p, one)
    t = q / safe_p
    u = tf.sqrt(1 + t * t) * tf.where(p < 0, -one, one)
    t_other = p / safe_q
    u_other = tf.sqrt(1 + t_other * t_other) * tf.where(q < 0, -one, one)
    c = tf.where(is_steep, 1 / u, t_other / u_other)
    return c, tf.where(is_steep, -t / u, -1 / u_other)
