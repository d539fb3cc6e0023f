"""Models that are trained for quantization round weights and activations themselves."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tests.zoo.networks.built import Function, network, of_tensors


@network(x=(-2, 2))
def fake_quantized() -> keras.Model:
    """Round by fixed bounds, by bounds that are tensors, per channel, with few bits."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.quantization.fake_quant_with_min_max_args(x, -1.0, 1.0),
            tf.quantization.fake_quant_with_min_max_args(
                x, -1.3, 0.7, num_bits=4, narrow_range=True
            ),
            tf.quantization.fake_quant_with_min_max_vars(x, -1.5, 1.5),
            tf.quantization.fake_quant_with_min_max_vars(
                x, tf.reduce_min(x) - 0.1, tf.reduce_max(x) + 0.1
            ),
            tf.quantization.fake_quant_with_min_max_vars_per_channel(
                x, [-1.0, -2.0, -0.5], [1.0, 0.5, 0.5]
            ),
        )

    return of_tensors(run, x=(3,))


@network(image=(0, 255))
def quantization_aware() -> keras.Model:
    """Write a convolution as tensorflow-model-optimization does."""

    class Quantized(layers.Conv2D):
        def call(self, x: Any) -> Any:
            kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
                self.kernel, [-1.0] * 4, [1.0] * 4, narrow_range=True
            )
            y = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + self.bias)
            return tf.quantization.fake_quant_with_min_max_vars(y, 0.0, 6.0)

    image = keras.Input((6, 6, 3), name="image")
    x = layers.Flatten()(
        Quantized(4, 3, padding="same")(layers.Rescaling(1 / 255)(image))
    )
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


@network(x=(-2, 2))
def keras_int8() -> keras.Model:
    """Make dense layers int8 by ``keras.Model.quantize("int8")``."""
    x = keras.Input((4,), name="x")
    y = layers.Dense(3)(layers.Dense(6, activation="relu")(x))
    model = keras.Model(x, y)
    # The layers are quantized one by one. The model's own method would warn of its
    # input layer, which has nothing to quantize.
    for layer in model.layers[1:]:
        layer.quantize("int8")
    return model


@network(x=(-2, 2))
def binary_weights() -> keras.Model:
    """Use signs as weights, and a straight-through estimator."""

    class Binary(layers.Dense):
        def call(self, x: Any) -> Any:
            sign = tf.where(self.kernel >= 0, 1.0, -1.0)
            kernel = self.kernel + tf.stop_gradient(sign - self.kernel)
            return tf.matmul(x, kernel) + self.bias

    x = keras.Input((4,), name="x")
    return keras.Model(x, Function(tf.sign)(Binary(3)(x)) + Binary(3)(x))


@network(x=(-2, 2))
def quantized_and_back() -> keras.Model:
    """Convert to int8 by hand, multiply as integers, and convert back."""

    def run(x: tf.Tensor) -> tf.Tensor:
        scale = tf.reduce_max(tf.abs(x), axis=-1, keepdims=True) / 127.0
        whole = tf.cast(tf.round(x / scale), tf.int8)
        weights = tf.constant([[1, -2], [3, 4], [-5, 6], [7, 8]], tf.int32)
        product = tf.matmul(tf.cast(whole, tf.int32), weights)
        return tf.cast(product, tf.float32) * scale

    return of_tensors(run, x=(4,))


@network(x=(-1, 1))
def nearest_code() -> keras.Model:
    """Find the nearest of a table of codes, as VQ-VAE does."""

    class Codes(layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(shape[-1], 6), name="table")

        def call(self, x: Any) -> Any:
            distance = (
                tf.reduce_sum(x**2, axis=-1, keepdims=True)
                + tf.reduce_sum(self.table**2, axis=0)
                - 2 * tf.matmul(x, self.table)
            )
            nearest = tf.argmin(distance, axis=-1)
            codes = tf.matmul(tf.one_hot(nearest, 6), self.table, transpose_b=True)
            return nearest, x + tf.stop_gradient(codes - x)

    x = keras.Input((5, 3), name="x")
    return keras.Model(x, Codes()(x))
