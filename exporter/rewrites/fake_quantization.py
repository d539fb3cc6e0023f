"""``FakeQuantWithMinMax…``: rounding that training for quantization leaves.

tf2onnx 1.17 does not convert the forms that Keras models have: bounds that are tensors,
few bits, or bounds for each channel. Source:
tensorflow/core/kernels/fake_quant_ops_functor.h.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("FakeQuantWithMinMaxArgs")
def lower_args(operation: tf.Operation, x: tf.Tensor) -> tf.Tensor:
    """Round between bounds that are attributes."""
    bounds = (tf.constant(operation.get_attr(name)) for name in ("min", "max"))
    return _rounded(operation, x, *bounds)


@lowering("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def lower_vars(
    operation: tf.Operation, x: tf.Tensor, least: tf.Tensor, greatest: tf.Tensor
) -> tf.Tensor:
    """Round between bounds that are tensors: scalars, or one for each channel."""
    rounded = _rounded(operation, x, least, greatest)
    # Bounds of 0 and 0, from before the first training step, give 0.
    is_empty = tf.equal(least, 0) & tf.equal(greatest, 0)
    return tf.where(is_empty, tf.zeros_like(x), rounded)


def _rounded(
    operation: tf.Operation, x: tf.Tensor, least: tf.Tensor, greatest: tf.Tensor
) -> tf.Tensor:
    """Round to the nearest of ``2 ** num_bits`` numbers, one of which is 0."""
    low = 1.0 if operation.get_attr("narrow_range") else 0.0
    high = 2.0 ** operation.get_attr("num_bits") - 1.0
    scale = (greatest - least) / (high - low)
    scale = tf.where(scale > 0, scale, tf.ones_like(scale))
    zero = low - least / scale
    # Halves are rounded away from 0, as by roundf; tf.round rounds them to even.
    zero = tf.clip_by_value(tf.floor(zero + 0.5), low, high)
    first, last = (low - zero) * scale, (high - zero) * scale
    inverse = 1.0 / scale
    bounded = tf.clip_by_value(x, first, last) - first
    return tf.floor(bounded * inverse + 0.5) * scale + first
