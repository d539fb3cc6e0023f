"""Transformers encode and decode words, and patches of pictures."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tests.zoo.networks.built import Function, network

WORDS, LENGTH, WIDTH = 20, 6, 8


class Positions(layers.Layer):
    """Add a learned value for each position, and keep the padding."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def build(self, shape: Any) -> None:
        """Make one row for each position, and more rows than are used."""
        self.table = self.add_weight(shape=(4 * LENGTH, shape[-1]), name="table")

    def call(self, x: Any) -> Any:
        """Return ``(N, T, C)``, with each position's row added."""
        return x + self.table[: ops.shape(x)[1]]


def _words(name: str = "words", length: int | None = LENGTH) -> Any:
    return keras.Input((length,), dtype="int32", name=name)


def _embed(words: Any, mask_zero: bool = False) -> Any:
    return Positions()(layers.Embedding(WORDS, WIDTH, mask_zero=mask_zero)(words))


def _feed_forward(x: Any, activation: str = "gelu") -> Any:
    inner = layers.Dense(2 * WIDTH, activation=activation)(x)
    return layers.LayerNormalization()(x + layers.Dense(WIDTH)(inner))


def _attend(x: Any, to: Any, **how: Any) -> Any:
    attention = layers.MultiHeadAttention(2, WIDTH // 2)
    return layers.LayerNormalization()(x + attention(x, to, **how))


@network(words=(0, WORDS - 1))
def encoder() -> keras.Model:
    """Use two blocks, and a class of the mean."""
    words = _words()
    x = _embed(words)
    for _ in range(2):
        x = _feed_forward(_attend(x, x))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, layers.Dense(3, activation="softmax")(x))


@network(words=(0, WORDS - 1))
def encoder_of_any_length() -> keras.Model:
    """Take sentences of any length, padded with 0, and return a class of each word."""
    words = _words(length=None)
    x = _embed(words, mask_zero=True)
    x = _feed_forward(_attend(x, x))
    return keras.Model(words, layers.Dense(3, activation="softmax")(x))


@network(words=(0, WORDS - 1))
def causal_decoder() -> keras.Model:
    """Score the next word from the words before it alone, as a language model does."""
    words = _words(length=None)
    x = _embed(words)
    for _ in range(2):
        x = _feed_forward(_attend(x, x, use_causal_mask=True))
    return keras.Model(words, layers.Dense(WORDS)(x))


@network(source=(0, WORDS - 1), target=(0, WORDS - 1))
def translator() -> keras.Model:
    """Translate by an encoder and a decoder, with masks and attention across them."""
    source, target = _words("source", None), _words("target", None)
    known = _embed(source, mask_zero=True)
    known = _feed_forward(_attend(known, known))
    x = _embed(target, mask_zero=True)
    x = _attend(x, x, use_causal_mask=True)
    x = _feed_forward(_attend(x, known))
    scores = layers.Dense(WORDS, activation="softmax")(x)
    return keras.Model([source, target], scores)


@network(words=(0, WORDS - 1), kinds=(0, 1), mask=(0, 1))
def masked_language_model() -> keras.Model:
    """Take words, kinds of sentences and a mask; score words and a class, like BERT."""
    words, kinds, mask = _words(), _words("kinds"), _words("mask")
    x = _embed(words) + layers.Embedding(2, WIDTH)(kinds)
    x = layers.LayerNormalization(epsilon=1e-12)(x)
    seen = layers.Reshape((1, LENGTH))(mask)
    x = _feed_forward(_attend(x, x, attention_mask=seen))
    first = layers.Dense(WIDTH, activation="tanh")(x[:, 0])
    return keras.Model(
        [words, kinds, mask],
        [layers.Dense(WORDS)(x), layers.Dense(2, activation="softmax")(first)],
    )


@network(image=(0, 255))
def vision_transformer() -> keras.Model:
    """Cut patches by a convolution, and put a learned class token in front."""

    class ClassToken(layers.Layer):
        def build(self, shape: Any) -> None:
            self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")

        def call(self, x: Any) -> Any:
            repeated = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
            return ops.concatenate([repeated, x], axis=1)

    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(WIDTH, 4, strides=4)(layers.Rescaling(1 / 255)(image))
    x = Positions()(ClassToken()(layers.Reshape((-1, WIDTH))(x)))
    for _ in range(2):
        normal = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, 4)(normal, normal)
        normal = layers.LayerNormalization()(x)
        x = x + layers.Dense(WIDTH)(layers.Dense(16, activation="gelu")(normal))
    x = layers.LayerNormalization()(x)[:, 0]
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


@network(words=(0, WORDS - 1))
def rotary_grouped_queries() -> keras.Model:
    """Use RMS norm, rotary positions, shared keys and SwiGLU, like recent models."""

    def rotate(x: tf.Tensor) -> tf.Tensor:
        half = x.shape[-1] // 2
        place = tf.cast(tf.range(tf.shape(x)[1]), tf.float32)
        turns = 10000.0 ** (-tf.range(half, dtype=tf.float32) / half)
        angle = tf.einsum("t,c->tc", place, turns)
        low, high = tf.split(x, 2, axis=-1)
        cos, sin = tf.cos(angle), tf.sin(angle)
        return tf.concat([low * cos - high * sin, low * sin + high * cos], axis=-1)

    words = _words(length=None)
    x = layers.Embedding(WORDS, WIDTH)(words)
    normal = layers.RMSNormalization()(x)
    turned = Function(rotate)(normal)
    attention = layers.GroupQueryAttention(4, 4, 2)
    x = x + attention(turned, normal, turned, use_causal_mask=True)
    normal = layers.RMSNormalization()(x)
    gate = layers.Dense(16, activation="silu", use_bias=False)(normal)
    x = x + layers.Dense(WIDTH)(gate * layers.Dense(16, use_bias=False)(normal))
    return keras.Model(words, layers.Dense(WORDS)(x))


@network(words=(0, WORDS - 1))
def relative_positions() -> keras.Model:
    """Bias the attention's scores by distance, in buckets, like T5."""

    class Bias(layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(8, 2), name="table")

        def call(self, x: Any) -> Any:
            place = tf.range(tf.shape(x)[1])
            distance = place[tf.newaxis, :] - place[:, tf.newaxis]
            far = tf.math.log(tf.cast(tf.abs(distance), tf.float32) + 1.0) * 2.0
            bucket = tf.minimum(tf.cast(far, tf.int32), 3) + 4 * tf.cast(
                distance > 0, tf.int32
            )
            return tf.transpose(tf.gather(self.table, bucket), [2, 0, 1])[tf.newaxis]

    words = _words(length=None)
    x = layers.Embedding(WORDS, WIDTH)(words)
    query, key, value = (layers.Dense(WIDTH, use_bias=False)(x) for _ in range(3))
    split = Function(
        lambda x: tf.transpose(
            tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1], 2, 4]), [0, 2, 1, 3]
        )
    )
    scores = Function(lambda q, k: tf.matmul(q, k, transpose_b=True))(
        split(query), split(key)
    )
    shares = layers.Softmax()(scores + Bias()(x))
    mixed = Function(lambda s, v: tf.einsum("bhqk,bhkd->bqhd", s, v))(
        shares, split(value)
    )
    x = x + layers.Dense(WIDTH)(layers.Reshape((-1, WIDTH))(mixed))
    return keras.Model(words, _feed_forward(x, "relu"))
