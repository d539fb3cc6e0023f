"""Models compute in other precisions than float32."""

from __future__ import annotations

import keras
from keras import layers

from tests.zoo.networks.built import network


def _mixed(policy: str) -> keras.Model:
    """Return a small CNN whose layers compute in one precision and end in float32."""
    image = keras.Input((8, 8, 3), name="image", dtype="float32")
    x = layers.Rescaling(1 / 255, dtype=policy)(image)
    x = layers.Conv2D(4, 3, dtype=policy)(x)
    x = layers.Activation("relu", dtype=policy)(
        layers.BatchNormalization(dtype=policy)(x)
    )
    x = layers.GlobalAveragePooling2D(dtype=policy)(
        layers.MaxPooling2D(dtype=policy)(x)
    )
    x = layers.Dense(8, activation="gelu", dtype=policy)(x)
    return keras.Model(image, layers.Dense(3, activation="softmax", dtype="float32")(x))


@network(image=(0, 255))
def mixed_float16() -> keras.Model:
    """Use mixed_float16, with which people train on a GPU."""
    return _mixed("mixed_float16")


@network(image=(0, 255))
def mixed_bfloat16() -> keras.Model:
    """Use mixed_bfloat16, with which people train on a TPU."""
    return _mixed("mixed_bfloat16")


@network(image=(0, 255))
def float64() -> keras.Model:
    """Compute in float64 between inputs and outputs of float32."""
    return _mixed("float64")


@network()
def double_throughout() -> keras.Model:
    """Have inputs and outputs of float64 too."""
    numbers = keras.Input((4,), dtype="float64", name="numbers")
    x = layers.Dense(5, activation="tanh", dtype="float64")(numbers)
    x = layers.LayerNormalization(dtype="float64")(x)
    return keras.Model(numbers, layers.Dense(2, dtype="float64")(x))


@network()
def half_throughout() -> keras.Model:
    """Have inputs, weights and outputs of float16."""
    numbers = keras.Input((4,), dtype="float16", name="numbers")
    x = layers.Dense(5, activation="relu", dtype="float16")(numbers)
    return keras.Model(numbers, layers.Dense(2, dtype="float16")(x))


@network(words=(0, 9))
def mixed_transformer() -> keras.Model:
    """Use attention and norms in float16 where Keras does so."""
    policy = "mixed_float16"
    words = keras.Input((6,), dtype="int32", name="words")
    x = layers.Embedding(10, 8, dtype=policy)(words)
    y = layers.MultiHeadAttention(2, 4, dtype=policy)(x, x)
    x = layers.LayerNormalization(dtype=policy)(layers.Add(dtype=policy)([x, y]))
    x = layers.GlobalAveragePooling1D(dtype=policy)(x)
    return keras.Model(words, layers.Dense(2, activation="softmax", dtype="float32")(x))


@network(steps=(-1, 1))
def mixed_recurrent() -> keras.Model:
    """Use an LSTM and a GRU in float16."""
    steps = keras.Input((4, 3), name="steps")
    x = layers.LSTM(4, return_sequences=True, dtype="mixed_float16")(steps)
    x = layers.GRU(4, dtype="mixed_float16")(x)
    return keras.Model(steps, layers.Dense(2, dtype="float32")(x))


@network(image=(0, 255), flags=(0, 1))
def bytes_and_flags() -> keras.Model:
    """Take inputs of uint8 and bool, and return outputs of int64 and bool."""
    image = keras.Input((4, 4, 3), dtype="uint8", name="image")
    flags = keras.Input((2,), dtype="bool", name="flags")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    x = layers.Concatenate()([x, keras.ops.cast(flags, "float32")])
    x = layers.Dense(4)(x)
    return keras.Model(
        [image, flags],
        [keras.ops.cast(keras.ops.argmax(x, -1), "int64"), x > 0.0],
    )
