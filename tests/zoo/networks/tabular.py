"""Rows of numbers go through Keras's preprocessing layers in the model."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from tests.zoo.networks.built import network


@network(age=(0, 90), kind=(0, 12), income=(-2, 2))
def preprocessed() -> keras.Model:
    """Scale, bin, look up, one-hot or embed each column, as its kind needs."""
    age = keras.Input((1,), name="age")
    kind = keras.Input((1,), dtype="int64", name="kind")
    income = keras.Input((1,), name="income")
    normal = layers.Normalization(mean=40.0, variance=200.0)(age)
    bins = layers.Discretization([18.0, 30.0, 65.0], output_mode="one_hot")(age)
    place = layers.IntegerLookup(vocabulary=[2, 3, 5, 7, 11])(kind)
    hot = layers.CategoryEncoding(6, output_mode="one_hot")(place)
    dense = layers.Flatten()(layers.Embedding(6, 3)(place))
    rank = layers.Flatten()(
        layers.Embedding(4, 2)(layers.Discretization([-1.0, 0.0, 1.0])(income))
    )
    x = layers.Concatenate()([normal, bins, hot, dense, rank])
    x = layers.Dense(8, activation="relu")(x)
    return keras.Model([age, kind, income], layers.Dense(1, activation="sigmoid")(x))


@network(kinds=(0, 9))
def bags_of_kinds() -> keras.Model:
    """Take several kinds a row: multi-hot, counted, and weighted by rarity."""
    kinds = keras.Input((4,), dtype="int64", name="kinds")
    vocabulary = [1, 2, 4, 8]
    many = layers.IntegerLookup(vocabulary=vocabulary, output_mode="multi_hot")(kinds)
    counts = layers.IntegerLookup(vocabulary=vocabulary, output_mode="count")(kinds)
    rarity = layers.IntegerLookup(
        vocabulary=vocabulary, output_mode="tf_idf", idf_weights=[0.5, 1.0, 1.5, 2.0]
    )(kinds)
    x = layers.Concatenate()([many, counts, rarity])
    return keras.Model(kinds, layers.Dense(3, activation="softmax")(x))


@network(numbers=(-3, 3))
def adapted() -> keras.Model:
    """Learn means and bins from data."""
    data = np.random.default_rng(0).normal(2.0, 3.0, (200, 4)).astype(np.float32)
    normal, bins = layers.Normalization(), layers.Discretization(num_bins=5)
    normal.adapt(data)
    bins.adapt(data)
    numbers = keras.Input((4,), name="numbers")
    x = layers.Concatenate()(
        [normal(numbers), layers.Flatten()(layers.Embedding(5, 2)(bins(numbers)))]
    )
    return keras.Model(numbers, layers.Dense(2)(x))


@network(numbers=(-2, 2), user=(0, 9), thing=(0, 19))
def wide_and_deep() -> keras.Model:
    """Join a linear part, crosses of features and a deep part, with int64 keys."""
    numbers = keras.Input((4,), name="numbers")
    user = keras.Input((), dtype="int64", name="user")
    thing = keras.Input((), dtype="int32", name="thing")
    left = layers.Embedding(10, 4)(user)
    right = layers.Embedding(20, 4)(thing)
    cross = layers.Dot(axes=1)([left, right])
    deep = layers.Concatenate()([numbers, left, right])
    for _ in range(2):
        deep = layers.BatchNormalization()(layers.Dense(8, activation="relu")(deep))
    wide = layers.Dense(1)(numbers)
    return keras.Model([numbers, user, thing], [wide + cross + layers.Dense(1)(deep)])


@network(kind=(0, 12))
def hashed() -> keras.Model:
    """Put whole numbers into bins, by the hash of their text."""
    kind = keras.Input((1,), dtype="int64", name="kind")
    x = layers.Embedding(4, 2)(layers.Hashing(num_bins=4)(kind))
    return keras.Model(kind, x)


@network(numbers=(-1, 1))
def tabular_transformer() -> keras.Model:
    """Use each column as a token, with a learned scale and shift."""

    class Tokens(layers.Layer):
        def build(self, shape: tuple[int | None, ...]) -> None:
            self.scale = self.add_weight(shape=(shape[-1], 8), name="scale")
            self.shift = self.add_weight(shape=(shape[-1], 8), name="shift")

        def call(self, x: object) -> object:
            return ops.expand_dims(x, -1) * self.scale + self.shift

    numbers = keras.Input((5,), name="numbers")
    x = Tokens()(numbers)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.Flatten()(layers.Dense(4, activation="mish")(x))
    return keras.Model(numbers, layers.Dense(1)(x))


@network(numbers=(-2, 2))
def mixture_of_experts() -> keras.Model:
    """Keep the two best of four experts by a gate."""
    numbers = keras.Input((5,), name="numbers")
    gate = layers.Dense(4)(numbers)
    experts = [layers.Dense(3, activation="relu")(numbers) for _ in range(4)]

    class Route(layers.Layer):
        def call(self, gate: object, *experts: object) -> object:
            best, place = ops.top_k(gate, 2)
            share = ops.softmax(best)
            chosen = ops.one_hot(place, 4) * ops.expand_dims(share, -1)
            weights = ops.sum(chosen, axis=1)
            return ops.einsum("be,bec->bc", weights, ops.stack(experts, axis=1))

    return keras.Model(numbers, Route()(gate, *experts))


@network()
def gradient_boosted_stumps() -> keras.Model:
    """Compute trees as tensors: a feature, a threshold and two leaves for each tree."""

    class Stumps(layers.Layer):
        def build(self, shape: tuple[int | None, ...]) -> None:
            self.threshold = self.add_weight(shape=(6,), name="threshold")
            self.leaves = self.add_weight(shape=(6, 2), name="leaves")

        def call(self, x: object) -> object:
            seen = ops.take(x, [0, 1, 2, 3, 0, 1], axis=1)
            side = ops.cast(seen > self.threshold, "int32")
            chosen = ops.take_along_axis(
                ops.expand_dims(self.leaves, 0), ops.expand_dims(side, -1), axis=2
            )
            return ops.sum(ops.squeeze(chosen, -1), axis=1, keepdims=True)

    numbers = keras.Input((4,), name="numbers")
    return keras.Model(numbers, Stumps()(numbers))
