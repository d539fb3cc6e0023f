"""Pictures go through networks without the usual convolutions."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tests.zoo.networks.built import Function, network


def _image() -> Any:
    return keras.Input((8, 8, 3), name="image")


def _head(image: Any, x: Any) -> keras.Model:
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


@network(image=(0, 255))
def conv_mixer() -> keras.Model:
    """Cut patches, then convolve by depth and by point, with GELU."""
    image = _image()
    x = layers.Conv2D(8, 2, strides=2, activation="gelu")(
        layers.Rescaling(1 / 255)(image)
    )
    for _ in range(2):
        inner = layers.DepthwiseConv2D(3, padding="same", activation="gelu")(x)
        x = layers.Add()([layers.BatchNormalization()(inner), x])
        x = layers.BatchNormalization()(layers.Conv2D(8, 1, activation="gelu")(x))
    return _head(image, layers.GlobalAveragePooling2D()(x))


@network(image=(0, 255))
def mlp_mixer() -> keras.Model:
    """Use dense layers over patches and over channels."""
    image = _image()
    x = layers.Conv2D(8, 2, strides=2)(layers.Rescaling(1 / 255)(image))
    x = layers.Reshape((16, 8))(x)
    for _ in range(2):
        inner = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        inner = layers.Dense(16)(layers.Dense(8, activation="gelu")(inner))
        x = x + layers.Permute((2, 1))(inner)
        inner = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(8)(inner)
    return _head(image, layers.GlobalAveragePooling1D()(x))


@network(image=(0, 255))
def shifted_windows() -> keras.Model:
    """Attend in windows that roll half a window in every other block, like Swin."""
    image = _image()

    def split(x: tf.Tensor) -> tf.Tensor:
        x = tf.reshape(x, [-1, 2, 2, 2, 2, 8])
        return tf.reshape(tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, 4, 8])

    def join(x: tf.Tensor) -> tf.Tensor:
        x = tf.reshape(x, [-1, 2, 2, 2, 2, 8])
        return tf.reshape(tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, 4, 4, 8])

    x = layers.Conv2D(8, 2, strides=2)(layers.Rescaling(1 / 255)(image))
    for shift in (0, 1):
        inner = layers.LayerNormalization(epsilon=1e-5)(x)
        inner = Function(lambda x, s=shift: tf.roll(x, [-s, -s], [1, 2]))(inner)
        inner = Function(split)(inner)
        inner = layers.MultiHeadAttention(2, 4)(inner, inner)
        inner = Function(join)(inner)
        x = x + Function(lambda x, s=shift: tf.roll(x, [s, s], [1, 2]))(inner)
        inner = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.Dense(8)(layers.Dense(16, activation="gelu")(inner))
    merged = Function(lambda x: tf.nn.space_to_depth(x, 2))(x)
    return _head(image, layers.GlobalAveragePooling2D()(layers.Dense(8)(merged)))


@network(image=(0, 255))
def mobile_vit() -> keras.Model:
    """Convolve, then run a transformer over the pixels at one place of each patch."""
    image = _image()
    x = layers.Conv2D(8, 3, padding="same", activation="swish")(
        layers.Rescaling(1 / 255)(image)
    )
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="swish")(x)
    local = layers.Conv2D(8, 1)(x)
    y = layers.Reshape((4, 4, 8))(local)
    normal = layers.LayerNormalization(epsilon=1e-6)(y)
    y = y + layers.MultiHeadAttention(2, 4, dropout=0.1)(normal, normal)
    normal = layers.LayerNormalization(epsilon=1e-6)(y)
    y = y + layers.Dense(8)(layers.Dense(16, activation="swish")(normal))
    folded = layers.Conv2D(8, 1)(layers.Reshape((4, 4, 8))(y))
    x = layers.Conv2D(8, 3, padding="same")(layers.Concatenate()([x, folded]))
    return _head(image, layers.GlobalAveragePooling2D()(x))


@network(image=(0, 255))
def fourier_mixer() -> keras.Model:
    """Replace attention by the real part of a Fourier transform, like FNet."""
    image = _image()
    x = layers.Reshape((16, 8))(
        layers.Conv2D(8, 2, strides=2)(layers.Rescaling(1 / 255)(image))
    )
    mixed = Function(lambda x: tf.math.real(tf.signal.fft2d(tf.cast(x, tf.complex64))))(
        x
    )
    x = layers.LayerNormalization()(x + mixed)
    return _head(image, layers.GlobalAveragePooling1D()(x))


@network(image=(0, 255))
def every_normalization() -> keras.Model:
    """Use layer, group, instance, unit, spectral, weight and local response norms."""

    class Standardized(layers.Conv2D):
        def call(self, x: Any) -> Any:
            mean, variance = ops.moments(self.kernel, axes=[0, 1, 2], keepdims=True)
            kernel = (self.kernel - mean) / ops.sqrt(variance + 1e-5)
            return ops.conv(x, kernel, padding="same") + self.bias

    image = _image()
    x = layers.SpectralNormalization(layers.Conv2D(8, 3, padding="same"))(
        layers.Rescaling(1 / 255)(image)
    )
    x = layers.GroupNormalization(4)(x)
    x = layers.GroupNormalization(-1)(Standardized(8, 3, padding="same")(x))
    x = Function(lambda x: tf.nn.local_response_normalization(x, 2))(x)
    x = layers.LayerNormalization(axis=[1, 2, 3])(x)
    x = layers.UnitNormalization()(layers.Flatten()(x))
    x = layers.SpectralNormalization(layers.Dense(8, activation="tanh"))(x)
    return _head(image, x)


@network(points=(-1, 1))
def point_cloud() -> keras.Model:
    """Take any number of points in any order, and a learned turn, like PointNet."""
    points = keras.Input((None, 3), name="points")
    turn = layers.Conv1D(8, 1, activation="relu")(points)
    turn = layers.Dense(9)(layers.GlobalMaxPooling1D()(turn))
    turned = layers.Dot(axes=(2, 1))([points, layers.Reshape((3, 3))(turn)])
    x = layers.Conv1D(8, 1, activation="relu")(turned)
    return _head(points, layers.GlobalMaxPooling1D()(x))


@network(features=(-1, 1), adjacency=(0, 1))
def graph_convolution() -> keras.Model:
    """Mix nodes' features along edges, with weights by degree, and by attention."""
    features = keras.Input((5, 4), name="features")
    adjacency = keras.Input((5, 5), name="adjacency")

    def spread(x: tf.Tensor, edges: tf.Tensor) -> tf.Tensor:
        edges = edges + tf.eye(5)
        degree = tf.reduce_sum(edges, axis=-1)
        share = tf.linalg.diag(tf.math.rsqrt(degree))
        return share @ edges @ share @ x

    def attend(x: tf.Tensor, edges: tf.Tensor) -> tf.Tensor:
        score = tf.nn.leaky_relu(x[:, :, tf.newaxis, :] + x[:, tf.newaxis, :, :])
        score = tf.reduce_sum(score, axis=-1)
        score = tf.where(edges > 0.5, score, -1e9 * tf.ones_like(score))
        return tf.nn.softmax(score, axis=-1) @ x

    x = layers.Dense(6, activation="relu")(Function(spread)(features, adjacency))
    x = Function(attend)(layers.Dense(6)(x), adjacency)
    x = layers.GlobalAveragePooling1D()(x)
    return _head([features, adjacency], x)
