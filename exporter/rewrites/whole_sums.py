"""Sums, products and powers of whole numbers, exact and wrapped as TensorFlow's.

ONNX Runtime 1.31 adds and multiplies int32 and int64 along an axis as doubles: digits
above 2^53 are lost, and numbers that TensorFlow wraps around are cut at the dtype's
ends. Its products of matrices are exact and wrap, and so are elementwise sums and
products. So a sum is written as a product with a column of ones, which is also two to
nine times as fast.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from exporter.rewrites.known import is_of_shapes
from exporter.rewrites.registry import lowering

# A matrix product of int64 holds all bits of these dtypes; a cast cuts the other bits
# off again.
_NARROWER = (tf.int8, tf.int16, tf.int32, tf.uint8, tf.uint16, tf.uint32)
_WHOLE = (*_NARROWER, tf.int64, tf.uint64)


@lowering("Sum")
def lower_sum(
    operation: tf.Operation, x: tf.Tensor, axes: tf.Tensor
) -> tf.Tensor | None:
    """Sum by a product with ones."""
    along = _axes(operation, x, axes)
    if along is None:
        return None
    return tf.cast(_summed(x, along, operation.get_attr("keep_dims")), x.dtype)


@lowering("Mean")
def lower_mean(
    operation: tf.Operation, x: tf.Tensor, axes: tf.Tensor
) -> tf.Tensor | None:
    """Sum in int64, divide, and round towards 0."""
    along = _axes(operation, x, axes)
    if along is None or x.dtype == tf.uint64:
        return None
    total = _summed(x, along, operation.get_attr("keep_dims"))
    sizes = tf.shape(x, tf.int64)
    count = tf.constant(1, tf.int64)
    for axis in along:
        count *= sizes[axis]
    return tf.cast(tf.raw_ops.TruncateDiv(x=total, y=count), x.dtype)


@lowering("Prod")
def lower_product(
    operation: tf.Operation, x: tf.Tensor, axes: tf.Tensor
) -> tf.Tensor | None:
    """Multiply both halves of an axis until one number is left."""
    along = _axes(operation, x, axes)
    if along is None:
        return None
    rows, _ = _rows(tf.cast(x, tf.int64), along)
    length = rows.shape[-1]
    if length is None:
        # These are the products of all prefixes; the last one is the product of all.
        rows = tf.pad(rows, [[0, 0], [1, 0]], constant_values=tf.constant(1, tf.int64))
        rows = tf.math.cumprod(rows, axis=1)[:, -1]
    else:
        while length > 1:
            half = length // 2
            product = rows[:, :half] * rows[:, half : 2 * half]
            rows = tf.concat([product, rows[:, 2 * half :]], 1)
            length -= half
        rows = tf.reshape(rows, [-1]) if length else tf.ones_like(rows[:, 0])
    return tf.cast(_shaped(rows, x, along, operation.get_attr("keep_dims")), x.dtype)


@lowering("Max", "Min")
def lower_extreme(
    operation: tf.Operation, x: tf.Tensor, axes: tf.Tensor
) -> tf.Tensor | None:
    """Move uint64, for which ONNX Runtime has no kernel, to int64 and back."""
    if x.dtype != tf.uint64:
        return None
    reduce = tf.reduce_max if operation.type == "Max" else tf.reduce_min
    moved = tf.cast(x, tf.int64) + tf.int64.min
    found = reduce(moved, axes, operation.get_attr("keep_dims"))
    return tf.cast(found + tf.int64.min, x.dtype)


@lowering("Pow")
def lower_power(
    operation: tf.Operation, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor | None:
    """Square repeatedly, and multiply the squares for which the exponent has a bit.

    TensorFlow refuses a negative exponent. ONNX Runtime refuses it, too, because it is
    looked up in a table without such a row.
    """
    if x.dtype not in _WHOLE:
        return None
    known = tf.get_static_value(y)
    if known is not None and (known < 0).any():
        return None
    wide, exponents = tf.cast(x, tf.int64), tf.cast(y, tf.int64)
    if known is None:
        is_negative = tf.cast(tf.reduce_any(exponents < 0), tf.int32)
        # The table has one row: a negative exponent asks for the second.
        exponents *= tf.gather(tf.constant([1], tf.int64), is_negative)
    most = int(known.max()) if known is not None and known.size else x.dtype.max
    power = tf.ones_like(wide)
    for _ in range(most.bit_length()):
        half = tf.raw_ops.TruncateDiv(x=exponents, y=tf.constant(2, tf.int64))
        is_odd = tf.equal(exponents - 2 * half, 1)
        power *= tf.where(is_odd, wide, tf.ones_like(wide))
        wide *= wide
        exponents = half
    return tf.cast(power + tf.zeros_like(exponents), x.dtype)


@lowering("AddN")
def lower_add_n(operation: tf.Operation, *terms: tf.Tensor) -> tf.Tensor | None:
    """Add one after the other; ONNX's sum of several is for real numbers."""
    if terms[0].dtype not in _WHOLE:
        return None
    return functools.reduce(tf.add, terms)


@lowering("Einsum")
def lower_einsum(operation: tf.Operation, *inputs: tf.Tensor) -> tf.Tensor | None:
    """Sum the axes of a single input first; ONNX Runtime sums them as doubles."""
    equation = operation.get_attr("equation").decode()
    given, _, wanted = equation.partition("->")
    terms = given.split(",")
    if inputs[0].dtype not in _WHOLE or "." in equation:
        return None
    summed, left = [], []
    for index, (term, tensor) in enumerate(zip(terms, inputs, strict=True)):
        others = wanted + "".join(terms[:index] + terms[index + 1 :])
        along = [i for i, label in enumerate(term) if label not in others]
        if len(set(term)) < len(term):
            return None  # a diagonal
        if along:
            tensor = tf.cast(_summed(tensor, along, False), tensor.dtype)
        summed.append(tensor)
        left.append("".join(label for label in term if label in others))
    if left == terms:
        return None
    if len(left) == 1:
        return tf.transpose(summed[0], [left[0].index(label) for label in wanted])
    return tf.raw_ops.Einsum(inputs=summed, equation=f"{','.join(left)}->{wanted}")


def _axes(
    operation: tf.Operation, x: tf.Tensor, axes: tf.Tensor
) -> tuple[int, ...] | None:
    """The axes along which whole numbers are reduced; None leaves the operator.

    Products of lengths are small, and are better folded by the optimizers.
    """
    known = tf.get_static_value(axes)
    rank = x.shape.rank
    if x.dtype not in _WHOLE or known is None or rank is None or is_of_shapes(x):
        return None
    return tuple(sorted({int(axis) % rank for axis in np.ravel(known)})) or None


def _summed(x: tf.Tensor, along: Sequence[int], keep: bool) -> tf.Tensor:
    """The sum in int64; its lower bits are the sum of any narrower dtype."""
    rows, size = _rows(tf.cast(x, tf.int64), along)
    ones = tf.ones(tf.stack([size, tf.constant(1, size.dtype)]), tf.int64)
    if rows.shape[-1] is not None:
        ones = tf.constant(np.ones((rows.shape[-1], 1), np.int64))
    return _shaped(tf.matmul(rows, ones), x, along, keep)


def _rows(x: tf.Tensor, along: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """The numbers as ``(kept, reduced)``, and the length of the second axis."""
    rank = x.shape.rank
    kept = [axis for axis in range(rank) if axis not in along]
    order = [*kept, *along]
    if order != list(range(rank)):
        x = tf.transpose(x, order)
    sizes = tf.shape(x)
    size = tf.reduce_prod(sizes[len(kept) :])
    rows = tf.reshape(x, tf.stack([tf.reduce_prod(sizes[: len(kept)]), size]))
    lengths = x.shape[len(kept) :]
    rows.set_shape([None, lengths.num_elements()])
    return rows, size


def _shaped(
    rows: tf.Tensor, x: tf.Tensor, along: Sequence[int], keep: bool
) -> tf.Tensor:
    """Bring one number for each row to the shape of the axes that were kept."""
    sizes = tf.unstack(tf.shape(x), num=x.shape.rank)
    shape = [
        tf.constant(1) if axis in along else size
        for axis, size in enumerate(sizes)
        if keep or axis not in along
    ]
    static = [
        1 if axis in along else n
        for axis, n in enumerate(x.shape.as_list())
        if keep or axis not in along
    ]
    shaped = tf.reshape(rows, tf.stack(shape) if shape else [])
    shaped.set_shape(static)
    return shaped
