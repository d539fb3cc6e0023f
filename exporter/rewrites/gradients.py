"""Gradients of activations, in models that answer how their answer changes.

tf2onnx has none of them, because it expects that a model is trained elsewhere. A
saliency map, or a network that solves a differential equation, has them in its forward
pass. The gradients of convolutions and products are operators of their own.

Source: tensorflow/core/kernels/cwise_ops_gradients.h and relu_op_functor.h. In this
file ``y`` is the activation's output, ``x`` its input, and ``dy`` the gradient of the
output; all have one shape and dtype.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("TanhGrad")
def lower_tanh(operation: tf.Operation, y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """``dy (1 - y²)``."""
    return dy * (tf.ones([], y.dtype) - y * y)


@lowering("SigmoidGrad")
def lower_sigmoid(operation: tf.Operation, y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """``dy y (1 - y)``."""
    return dy * y * (tf.ones([], y.dtype) - y)


@lowering("ReluGrad")
def lower_relu(operation: tf.Operation, dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """``dy`` where x is above 0."""
    return tf.where(x > 0, dy, tf.zeros([], dy.dtype))


@lowering("Relu6Grad")
def lower_relu6(operation: tf.Operation, dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """``dy`` where x is between 0 and 6."""
    return tf.where((x > 0) & (x < 6), dy, tf.zeros([], dy.dtype))


@lowering("LeakyReluGrad")
def lower_leaky_relu(operation: tf.Operation, dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """``dy`` where x is above 0, else a share of it."""
    return tf.where(x > 0, dy, dy * operation.get_attr("alpha"))


@lowering("EluGrad")
def lower_elu(operation: tf.Operation, dy: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """``dy`` where y is not below 0, else ``dy (y + 1)``."""
    return tf.where(y < 0, dy * (y + tf.ones([], y.dtype)), dy)


@lowering("SeluGrad")
def lower_selu(operation: tf.Operation, dy: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """``scale dy`` where y is not below 0, else ``dy (y + scale alpha)``."""
    scale, scale_alpha = 1.0507009873554805, 1.7580993408473768
    return tf.where(y < 0, dy * (y + scale_alpha), dy * scale)


@lowering("SoftplusGrad")
def lower_softplus(operation: tf.Operation, dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """``dy`` times the sigmoid of x."""
    return dy * tf.sigmoid(x)


@lowering("SoftsignGrad")
def lower_softsign(operation: tf.Operation, dy: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """``dy / (1 + |x|)²``."""
    return dy / tf.square(tf.ones([], x.dtype) + tf.abs(x))


@lowering("SqrtGrad")
def lower_sqrt(operation: tf.Operation, y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """``dy / 2y``."""
    return dy / (y + y)


@lowering("RsqrtGrad")
def lower_rsqrt(operation: tf.Operation, y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """``-dy y³ / 2``."""
    return dy * y * y * y * tf.constant(-0.5, y.dtype)


@lowering("ReciprocalGrad", "InvGrad")
def lower_reciprocal(operation: tf.Operation, y: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """``-dy y²``."""
    return -dy * y * y
