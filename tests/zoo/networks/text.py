"""ONNX looks up whole texts, and does not split them."""

from __future__ import annotations

import keras
from keras import layers

from tests.zoo.networks.built import network


@network("StringSplitV2")
def vectorized_text() -> keras.Model:
    """Turn text into words, and words into numbers."""
    vectorize = layers.TextVectorization(
        vocabulary=["a", "b"], output_sequence_length=3
    )
    text = keras.Input((), dtype="string", name="text")
    x = layers.Embedding(4, 2)(vectorize(text))
    return keras.Model(text, layers.GlobalAveragePooling1D()(x))


@network()
def looked_up_text() -> keras.Model:
    """Turn names into numbers."""
    text = keras.Input((1,), dtype="string", name="text")
    x = layers.StringLookup(vocabulary=["a", "b"])(text)
    return keras.Model(text, layers.Flatten()(layers.Embedding(3, 2)(x)))


@network(kind=(0, 1))
def names_of_classes() -> keras.Model:
    """Turn numbers into names: the answer is text."""
    kind = keras.Input((1,), dtype="int64", name="kind")
    names = layers.StringLookup(vocabulary=["a", "b"], invert=True)
    return keras.Model(kind, names(kind))
