"""Autoencoders, generators, and networks that draw at random."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tests.zoo.networks.built import Function, network


@network(image=(0, 1))
def autoencoder() -> keras.Model:
    """Reduce to a few numbers, and expand again."""
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    code = layers.Dense(4, name="code")(layers.Flatten()(x))
    x = layers.Reshape((4, 4, 4))(layers.Dense(64, activation="relu")(code))
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(image, [x, code])


def _variational(is_served: bool) -> keras.Model:
    class Sampling(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seed = keras.random.SeedGenerator(3)

        def call(self, mean: Any, spread: Any, training: bool | None = None) -> Any:
            if is_served and not training:
                return mean
            noise = keras.random.normal(ops.shape(mean), seed=self.seed)
            return mean + ops.exp(0.5 * spread) * noise

    image = keras.Input((8, 8, 1), name="image")
    x = layers.Dense(8, activation="relu")(layers.Flatten()(image))
    mean, spread = layers.Dense(2)(x), layers.Dense(2)(x)
    x = layers.Dense(64, activation="sigmoid")(Sampling()(mean, spread))
    return keras.Model(image, [layers.Reshape((8, 8, 1))(x), mean, spread])


@network(image=(0, 1))
def variational_autoencoder() -> keras.Model:
    """Serve the mean without a draw, as most such models do."""
    return _variational(is_served=True)


@network("Stateless", image=(0, 1))
def variational_autoencoder_that_samples() -> keras.Model:
    """Serve a draw, as Keras's own example does: each answer is another one."""
    return _variational(is_served=False)


@network("RandomStandardNormal")
def noise() -> keras.Model:
    """Add noise always, in a layer."""
    numbers = keras.Input((3,), name="numbers")
    noisy = Function(lambda x: x + tf.random.normal(tf.shape(x)))(numbers)
    return keras.Model(numbers, noisy)


@network("Multinomial", scores=(-1, 1))
def word_drawn_by_its_chance() -> keras.Model:
    """Draw in the last layer, as a text generator does."""
    scores = keras.Input((5,), name="scores")
    drawn = Function(lambda x: tf.random.categorical(x, 1))(scores)
    return keras.Model(scores, drawn)


@network()
def dropouts_at_rest() -> keras.Model:
    """Use every layer that draws while it trains, and none when it serves."""
    steps = keras.Input((4, 8), name="steps")
    x = layers.GaussianNoise(0.5)(layers.Dropout(0.5)(steps))
    x = layers.SpatialDropout1D(0.5)(layers.AlphaDropout(0.5)(x))
    x = layers.GaussianDropout(0.5)(layers.Dense(4)(x))
    return keras.Model(steps, layers.GRU(3, dropout=0.5, recurrent_dropout=0.5)(x))


@network()
def generator() -> keras.Model:
    """Make a picture of numbers, as DCGAN does."""
    numbers = keras.Input((6,), name="numbers")
    x = layers.Dense(2 * 2 * 8, use_bias=False)(numbers)
    x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    x = layers.Reshape((2, 2, 8))(x)
    for filters, stride in ((8, 1), (4, 2)):
        x = layers.Conv2DTranspose(
            filters, 5, strides=stride, padding="same", use_bias=False
        )(x)
        x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(x)
    return keras.Model(numbers, x)


@network()
def style_transfer() -> keras.Model:
    """Transfer a style: reflected edges, its mean and variance, nearest upsampling."""
    content = keras.Input((8, 8, 3), name="content")
    style = keras.Input((8, 8, 3), name="style")

    def adapt(x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        other, spread = tf.nn.moments(like, [1, 2], keepdims=True)
        return (
            tf.sqrt(spread + 1e-5) * (x - mean) * tf.math.rsqrt(variance + 1e-5) + other
        )

    def reflect(x: tf.Tensor) -> tf.Tensor:
        return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")

    edge = layers.Conv2D(4, 3, activation="relu")
    x, like = (edge(Function(reflect)(given)) for given in (content, style))
    x = layers.UpSampling2D(2)(Function(adapt)(x, like))
    return keras.Model([content, style], layers.Conv2D(3, 3, padding="same")(x))


@network()
def wave_net() -> keras.Model:
    """Convolve causally, ever wider apart, gated, with skips, at any length."""
    x = wave = keras.Input((None, 1), name="wave")
    x = layers.Conv1D(4, 2, padding="causal")(x)
    skips = []
    for rate in (1, 2, 4):
        how: dict[str, Any] = {"padding": "causal", "dilation_rate": rate}
        gate = layers.Conv1D(4, 2, activation="sigmoid", **how)(x)
        inner = layers.Conv1D(4, 2, activation="tanh", **how)(x) * gate
        skips.append(layers.Conv1D(4, 1)(inner))
        x = x + layers.Conv1D(4, 1)(inner)
    x = layers.ReLU()(layers.Add()(skips))
    return keras.Model(wave, layers.Conv1D(6, 1, activation="softmax")(x))


@network(time=(0, 100), image=(-1, 1))
def diffusion_step() -> keras.Model:
    """Shift a small U-Net by a time step's sines, with group norms and attention."""
    image = keras.Input((8, 8, 3), name="image")
    time = keras.Input((1,), name="time")

    def waves(time: tf.Tensor) -> tf.Tensor:
        pace = tf.exp(-tf.math.log(100.0) * tf.range(4, dtype=tf.float32) / 4.0)
        angle = time * pace
        return tf.concat([tf.sin(angle), tf.cos(angle)], axis=-1)

    step = layers.Dense(8, activation="swish")(Function(waves)(time))
    x = skip = layers.Conv2D(8, 3, padding="same")(image)
    x = x + layers.Reshape((1, 1, 8))(layers.Dense(8)(step))
    x = layers.Activation("swish")(layers.GroupNormalization(2)(x))
    x = layers.AveragePooling2D(2)(x)
    flat = layers.Reshape((16, 8))(x)
    flat = flat + layers.MultiHeadAttention(1, 8)(flat, flat)
    x = layers.UpSampling2D(interpolation="nearest")(layers.Reshape((4, 4, 8))(flat))
    x = layers.Concatenate()([x, skip])
    return keras.Model([image, time], layers.Conv2D(3, 3, padding="same")(x))
