"""Recurrent networks are stacked, bidirectional or masked, with states in and out."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from tests.zoo.networks.built import network

STEPS, WIDTH = 5, 3


def _steps(steps: int | None = STEPS, name: str = "steps") -> Any:
    return keras.Input((steps, WIDTH), name=name)


@network()
def stacked_lstm() -> keras.Model:
    """Use three layers, and a class."""
    x = steps = _steps()
    for _ in range(2):
        x = layers.LSTM(4, return_sequences=True)(x)
    x = layers.LSTM(4)(x)
    return keras.Model(steps, layers.Dense(3, activation="softmax")(x))


@network(words=(0, 9))
def bidirectional_gru_with_mask() -> keras.Model:
    """Take sentences of any length, padded with 0."""
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(10, 4, mask_zero=True)(words)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    x = layers.Bidirectional(layers.GRU(3), merge_mode="ave")(x)
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(x))


@network(steps=(-1, 1))
def bidirectional_lstm_with_masking() -> keras.Model:
    """Pass over steps that are all 0."""
    steps = _steps(None)
    gated = steps * ops.cast(steps[..., :1] > 0, "float32")
    x = layers.Masking()(gated)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    return keras.Model(steps, layers.LSTM(4, go_backwards=True)(x))


@network()
def lstm_with_returned_states() -> keras.Model:
    """Return all outputs and both states."""
    steps = _steps(None)
    x, hidden, cell = layers.LSTM(4, return_sequences=True, return_state=True)(steps)
    return keras.Model(steps, [x, hidden, cell])


@network()
def states_as_inputs() -> keras.Model:
    """Run one step of a decoder: the client keeps the states between two calls."""
    steps = _steps(1)
    hidden = keras.Input((4,), name="hidden")
    cell = keras.Input((4,), name="cell")
    gru = keras.Input((4,), name="gru_state")
    x, new_hidden, new_cell = layers.LSTM(4, return_sequences=True, return_state=True)(
        steps, initial_state=[hidden, cell]
    )
    x, new_gru = layers.GRU(4, return_state=True)(x, initial_state=gru)
    return keras.Model(
        [steps, hidden, cell, gru], [layers.Dense(2)(x), new_hidden, new_cell, new_gru]
    )


@network(source=(0, 9), target=(0, 9))
def sequence_to_sequence() -> keras.Model:
    """Begin a decoder with an encoder's states, and attend to the encoder's outputs."""
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    known, hidden, cell = layers.LSTM(4, return_sequences=True, return_state=True)(
        layers.Embedding(10, 4, mask_zero=True)(source)
    )
    x = layers.LSTM(4, return_sequences=True)(
        layers.Embedding(10, 4, mask_zero=True)(target), initial_state=[hidden, cell]
    )
    x = layers.Concatenate()([x, layers.Attention()([x, known])])
    return keras.Model([source, target], layers.Dense(10, activation="softmax")(x))


@network()
def old_gru_and_simple_rnn() -> keras.Model:
    """Use ``reset_after=False`` as TensorFlow 1 had it, other activations, unrolled."""
    steps = _steps()
    x = layers.GRU(4, reset_after=False, return_sequences=True)(steps)
    x = layers.LSTM(
        4, activation="relu", recurrent_activation="hard_sigmoid", return_sequences=True
    )(x)
    x = layers.SimpleRNN(4, return_sequences=True)(x)
    return keras.Model(steps, layers.LSTM(3, unroll=True)(x))


@network()
def own_cells() -> keras.Model:
    """Run several cells in one loop, one of them written by hand."""

    class Leaky(layers.Layer):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.units = self.state_size = units

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")

        def call(self, x: Any, states: Any) -> Any:
            new = 0.9 * states[0] + 0.1 * ops.tanh(ops.matmul(x, self.kernel))
            return new, [new]

    steps = _steps(None)
    cells = [layers.LSTMCell(4), layers.GRUCell(4), Leaky(3)]
    return keras.Model(steps, layers.RNN(cells, return_sequences=True)(steps))


@network(film=(0, 255))
def film_classifier() -> keras.Model:
    """Run a small CNN over each picture, then an LSTM."""
    film = keras.Input((4, 8, 8, 3), name="film")
    cnn = keras.Sequential(
        [
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
        ]
    )
    x = layers.LSTM(4)(layers.TimeDistributed(cnn)(film))
    return keras.Model(film, layers.Dense(3, activation="softmax")(x))


@network()
def convolutional_lstm() -> keras.Model:
    """Predict the next picture of a film."""
    film = keras.Input((3, 6, 6, 1), name="film")
    x = layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True)(film)
    x = layers.ConvLSTM2D(2, 3, padding="same")(layers.BatchNormalization()(x))
    return keras.Model(film, layers.Conv2D(1, 1, activation="sigmoid")(x))


@network(words=(0, 9))
def attentive_tagger() -> keras.Model:
    """Tag each word by a CNN and a GRU with additive attention."""
    words = keras.Input((6,), dtype="int64", name="words")
    x = layers.Embedding(10, 4)(words)
    near = layers.Conv1D(4, 3, padding="same", activation="relu")(x)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(near)
    x = layers.AdditiveAttention()([x, x])
    return keras.Model(words, layers.TimeDistributed(layers.Dense(3))(x))


@network()
def forecaster() -> keras.Model:
    """Repeat a state over the steps to come."""
    steps = _steps()
    x = layers.RepeatVector(3)(layers.LSTM(4, activation="tanh")(steps))
    x = layers.LSTM(4, return_sequences=True)(x)
    return keras.Model(steps, layers.TimeDistributed(layers.Dense(1))(x))
