"""``Svd`` by Jacobi's rotations from both sides, which ONNX lacks.

The signs of singular vectors are free. Here they are TensorFlow's, because its Eigen
library uses the same method (``JacobiSVD`` after ``ColPivHouseholderQR``) for matrices
below 16 rows or columns. The signs of larger ones may differ, which does not change the
products that models make of them.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.reflections import reflection
from exporter.rewrites.registry import lowering
from exporter.rewrites.rotation import Rotation, entry, place, sorted_columns

# Each sweep rotates every two columns once, and squares what remains beside the
# diagonal.
_SWEEPS = 12
# A turn is some seventy operators; larger matrices are refused.
_LARGEST = 64


@lowering("Svd")
def lower_svd(operation: tf.Operation, a: tf.Tensor) -> list[tf.Tensor] | None:
    """Singular values, the largest first, and both sides' vectors as columns.

    Without ``compute_uv`` the vectors are empty.
    """
    height, width = a.shape[-2:]
    if height is None or width is None or max(height, width) > _LARGEST:
        return None
    scale = tf.reduce_max(tf.abs(a), axis=[-2, -1], keepdims=True)
    scale = tf.where(tf.equal(scale, 0), tf.ones_like(scale), scale)
    is_wide = width > height
    tall = tf.linalg.matrix_transpose(a / scale) if is_wide else a / scale
    if height == width:
        u = v = tf.zeros_like(tall) + tf.eye(width, dtype=a.dtype)
        square = tall
    else:
        u, square, v = _prepared(tall)
    if is_wide:
        # This is the transposed matrix, because Eigen goes on with the lower triangle.
        u, square, v = v, tf.linalg.matrix_transpose(square), u
    side = min(height, width)
    u, square, v = _rotated(u, square, v, side)
    values = tf.linalg.diag_part(square)
    sign = tf.where(values < 0, -tf.ones_like(values), tf.ones_like(values))
    values = tf.abs(values)
    sign = tf.concat([sign, tf.ones_like(u[..., 0, side:])], axis=-1)
    u = u * sign[..., tf.newaxis, :]
    values, order = tf.math.top_k(values, side)
    values = values * scale[..., 0]
    if not operation.get_attr("compute_uv"):
        nothing = tf.zeros([0], a.dtype)
        return [values, nothing, nothing]
    is_full = operation.get_attr("full_matrices")
    found = []
    for vectors, rows in ((u, height), (v, width)):
        first = sorted_columns(vectors[..., :side], order)
        rest = [vectors[..., side:]] if is_full and rows > side else []
        found.append(tf.concat([first, *rest], axis=-1))
    return [values, *found]


def _prepared(a: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """``a v = q r`` with a square r, by a QR that takes the longest column first."""
    height, width = a.shape[-2:]
    q = tf.zeros_like(a[..., :1]) + tf.eye(height, dtype=a.dtype)
    v = tf.zeros_like(a[..., :1, :]) + tf.eye(width, dtype=a.dtype)
    columns = np.arange(width)
    for k in range(width):
        rest = tf.reduce_sum(a[..., k:, :] ** 2, axis=-2)
        rest = tf.where(columns >= k, rest, -tf.ones_like(rest))
        best = tf.cast(tf.one_hot(tf.argmax(rest, axis=-1), width), a.dtype)
        this = tf.constant(np.eye(width)[k], a.dtype)
        # The two columns change places; nothing happens if they are the same one.
        swap = best - this
        swap = tf.eye(width, dtype=a.dtype) - swap[..., :, None] * swap[..., None, :]
        a, v = a @ swap, v @ swap
        h, tau = reflection(a[..., k : k + 1], k)
        flat = tf.linalg.matrix_transpose(h)
        a = a - tau * h * (flat @ a)
        q = q - tau * (q @ h) * flat
    upper = columns[:, np.newaxis] <= columns
    return q, tf.where(upper, a[..., :width, :], tf.zeros_like(a[..., :width, :])), v


def _rotated(
    u: tf.Tensor, square: tf.Tensor, v: tf.Tensor, side: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Make ``square`` diagonal."""
    pairs = [(p, q) for p in range(1, side) for q in range(p)]
    if not pairs:
        return u, square, v
    dtype = square.dtype
    limits = np.finfo(dtype.as_numpy_dtype)
    tiny = tf.constant(limits.tiny, dtype)
    firsts, seconds = (tf.constant(list(names)) for names in zip(*pairs, strict=True))
    rows_u, rows_v = u.shape[-1], v.shape[-1]

    def turn(
        i: tf.Tensor, u: tf.Tensor, w: tf.Tensor, v: tf.Tensor, largest: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        pair = tf.math.floormod(i, len(pairs))
        at_p, at_q = tf.gather(firsts, pair), tf.gather(seconds, pair)
        p, q = place(at_p, side, dtype), place(at_q, side, dtype)
        m00, m01 = entry(w, p, p), entry(w, p, q)
        m10, m11 = entry(w, q, p), entry(w, q, q)
        threshold = tf.maximum(tiny, 2 * float(limits.eps) * largest)
        is_left = tf.logical_or(tf.abs(m01) > threshold, tf.abs(m10) > threshold)
        left, right = _of_two(m00, m01, m10, m11, tiny)
        left, right = left.only(is_left), right.only(is_left)
        w = left.of_rows(w, p, q)
        w = right.turned().of_columns(w, p, q)
        p_u, q_u = place(at_p, rows_u, dtype), place(at_q, rows_u, dtype)
        p_v, q_v = place(at_p, rows_v, dtype), place(at_q, rows_v, dtype)
        u = left.of_columns(u, p_u, q_u)
        v = right.turned().of_columns(v, p_v, q_v)
        now = tf.maximum(tf.abs(entry(w, p, p)), tf.abs(entry(w, q, q)))
        largest = tf.where(is_left, tf.maximum(largest, now), largest)
        return i + 1, u, w, v, largest

    diagonal = tf.abs(tf.linalg.diag_part(square))
    largest = tf.reduce_max(diagonal, axis=-1)[..., tf.newaxis, tf.newaxis]
    _, u, square, v, _ = tf.while_loop(
        lambda i, *_: i < _SWEEPS * len(pairs),
        turn,
        (tf.constant(0), u, square, v, largest),
        shape_invariants=(
            tf.TensorShape([]),
            *(tensor.shape for tensor in (u, square, v, largest)),
        ),
    )
    return u, square, v


def _of_two(
    m00: tf.Tensor, m01: tf.Tensor, m10: tf.Tensor, m11: tf.Tensor, tiny: tf.Tensor
) -> tuple[Rotation, Rotation]:
    """The rotations from both sides that make two by two numbers diagonal."""
    one, zero = tf.ones_like(m00), tf.zeros_like(m00)
    t, d = m00 + m11, m10 - m01
    is_even = tf.abs(d) < tiny
    ratio = t / tf.where(is_even, one, d)
    root = tf.sqrt(1 + ratio * ratio)
    first = Rotation(
        tf.where(is_even, one, ratio / root), tf.where(is_even, zero, 1 / root)
    )
    x, y = first.c * m00 + first.s * m10, first.c * m01 + first.s * m11
    z = first.c * m11 - first.s * m01
    twice = 2 * tf.abs(y)
    is_done = twice < tiny
    tau = (x - z) / tf.where(is_done, one, twice)
    width = tf.sqrt(tau * tau + 1)
    tangent = 1 / tf.where(tau > 0, tau + width, tau - width)
    c = 1 / tf.sqrt(tangent * tangent + 1)
    s = -tf.sign(y) * tangent * c
    right = Rotation(tf.where(is_done, one, c), tf.where(is_done, zero, s))
    return first.after(right.turned()), right
