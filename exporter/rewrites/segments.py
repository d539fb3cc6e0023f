"""Sums, products and extremes of segments.

tf2onnx 1.17 answers infinity for an empty segment, where TensorFlow has another number,
and it has no whole numbers. Here each number is compared with the ids of all segments,
which is exact for every dtype and does not depend on the order.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from exporter.rewrites.registry import lowering


def _reduced(
    data: tf.Tensor,
    ids: tf.Tensor,
    count: tf.Tensor,
    nothing: tf.Tensor,
    reduce: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Reduce each ``data[i]`` into ``[ids[i]]``.

    Args:
        data: ``ids.shape + rest`` of any number dtype.
        ids: whole numbers; a number that is no segment is left out.
        count: the number of segments, a scalar.
        nothing: the number that changes no result.
        reduce: reduces along an axis.
    """
    known = ids.shape.rank or 0
    rest = tf.shape(data)[known:]
    rows = tf.reshape(data, tf.concat([[1, tf.size(ids)], rest], 0))
    segments = tf.range(tf.cast(count, ids.dtype))
    is_own = tf.equal(segments[:, tf.newaxis], tf.reshape(ids, [1, -1]))
    missing = (data.shape.rank or known) - known
    is_own = tf.reshape(is_own, tf.concat([tf.shape(is_own), [1] * missing], 0))
    return reduce(tf.where(is_own, rows, nothing), axis=1)


def _of(operation: str, dtype: tf.DType) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
    name = operation.removeprefix("Unsorted").removeprefix("Segment")
    return {
        "Sum": (tf.constant(0, dtype), tf.reduce_sum),
        "Prod": (tf.constant(1, dtype), tf.reduce_prod),
        "Max": (tf.constant(dtype.min, dtype), tf.reduce_max),
        "Min": (tf.constant(dtype.max, dtype), tf.reduce_min),
    }[name]


@lowering(
    "UnsortedSegmentSum",
    "UnsortedSegmentProd",
    "UnsortedSegmentMax",
    "UnsortedSegmentMin",
)
def lower_unsorted(
    operation: tf.Operation, data: tf.Tensor, ids: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """Reduce; an empty segment has the number that changes no result."""
    nothing, reduce = _of(operation.type, data.dtype)
    return _reduced(data, ids, count, nothing, reduce)


@lowering(
    "SegmentSum", "SegmentProd", "SegmentMax", "SegmentMin", "SegmentMean",
    "SegmentSumV2", "SegmentProdV2", "SegmentMaxV2", "SegmentMinV2",
)  # fmt: skip
def lower_sorted(
    operation: tf.Operation, data: tf.Tensor, ids: tf.Tensor, *count: tf.Tensor
) -> tf.Tensor:
    """Reduce up to the last id; an empty segment has 0, or 1 for products."""
    total = count[0] if count else tf.reduce_max(ids) + 1
    if operation.type == "SegmentMean":
        sums = _reduced(data, ids, total, tf.constant(0, data.dtype), tf.reduce_sum)
        ones = tf.ones_like(data)
        sizes = _reduced(ones, ids, total, tf.constant(0, data.dtype), tf.reduce_sum)
        return sums / tf.maximum(sizes, tf.constant(1, data.dtype))
    nothing, reduce = _of(operation.type.removesuffix("V2"), data.dtype)
    found = _reduced(data, ids, total, nothing, reduce)
    if "Sum" in operation.type or "Prod" in operation.type or count:
        return found
    is_any = tf.reduce_any(
        tf.equal(tf.range(total)[:, tf.newaxis], ids[tf.newaxis]), axis=1
    )
    missing = (data.shape.rank or 1) - 1
    is_any = tf.reshape(is_any, [-1] + [1] * missing)
    return tf.where(is_any, found, tf.constant(0, data.dtype))
