"""``QuantizeAndDequantizeV2`` to ``V4``: rounding to a scale and back.

tf2onnx 1.17 writes QuantizeLinear, which has another scale and zero point: it takes all
ranges for symmetric, and eight bits for all. Source:
tensorflow/core/kernels/quantize_and_dequantize_op.h.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
def lower_by_attribute(
    operation: tf.Operation, x: tf.Tensor, least: tf.Tensor, greatest: tf.Tensor
) -> tf.Tensor:
    """Round to a number of bits that is an attribute, as is the rounding of halves."""
    bits = tf.constant(operation.get_attr("num_bits"))
    is_even = operation.get_attr("round_mode") == b"HALF_TO_EVEN"
    return _rounded(operation, x, least, greatest, bits, is_even)


@lowering("QuantizeAndDequantizeV3")
def lower_by_tensor(
    operation: tf.Operation,
    x: tf.Tensor,
    least: tf.Tensor,
    greatest: tf.Tensor,
    bits: tf.Tensor,
) -> tf.Tensor:
    """Round to a number of bits that is a tensor; halves go to even."""
    return _rounded(operation, x, least, greatest, bits, True)


def _rounded(
    operation: tf.Operation,
    x: tf.Tensor,
    least: tf.Tensor,
    greatest: tf.Tensor,
    bits: tf.Tensor,
    is_even: bool,
) -> tf.Tensor:
    axis = operation.get_attr("axis")
    if not operation.get_attr("range_given"):
        others = [n for n in range(x.shape.rank) if n != axis] if axis >= 0 else None
        least, greatest = tf.reduce_min(x, others), tf.reduce_max(x, others)
    if axis >= 0:
        along = [-1 if n == axis else 1 for n in range(x.shape.rank)]
        least, greatest = tf.reshape(least, along), tf.reshape(greatest, along)
    bits = tf.cast(bits, x.dtype)
    two, one = tf.constant(2, x.dtype), tf.constant(1, x.dtype)
    if operation.get_attr("signed_input"):
        last = two ** (bits - one) - one
        first = -last if operation.get_attr("narrow_range") else -last - one
    else:
        first, last = tf.zeros_like(bits), two**bits - one
    # The coarser scale of the two sides holds for both; a side without numbers has
    # none.
    scale = tf.minimum(_ratio(first, least), _ratio(last, greatest))
    inverse = tf.where(
        _ratio(first, least) < _ratio(last, greatest),
        tf.math.divide_no_nan(least, first),
        tf.math.divide_no_nan(greatest, last),
    )
    if operation.get_attr("range_given"):
        x = tf.clip_by_value(x, first * inverse, last * inverse)
    scaled = x * scale
    whole = tf.round(scaled) if is_even else tf.floor(scaled + tf.cast(0.5, x.dtype))
    return whole * inverse


def _ratio(step: tf.Tensor, bound: tf.Tensor) -> tf.Tensor:
    """Steps for each unit; the greatest number if step and bound differ in sign."""
    is_one_sided = step * bound > 0
    divisor = tf.where(is_one_sided, bound, tf.ones_like(bound))
    return tf.where(is_one_sided, step / divisor, bound.dtype.max)
