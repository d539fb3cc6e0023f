"""Try recurrent layers and cells, with masks, states and directions."""

from __future__ import annotations

import keras

from tests.zoo.layers.recipe import On, Recipe, Takes, on

SEQUENCE = on((5, 4))
FREE = on((None, 4))
# The answer to a call depends on the calls before it, and ONNX does not remember them.
STATEFUL = On(
    (Takes((5, 4), batch=2),), refused="keeps a state", always={"stateful": True}
)
TOKENS = (Takes((6,), "int32", 0, 3),)


def _masked(layer, tokens):
    return layer(keras.layers.Embedding(4, 4, mask_zero=True)(tokens))


def _from_state(layer, x, *states):
    return layer(x, initial_state=list(states))


def _recurrent(units: int = 3, states: int = 1) -> list[Recipe]:
    state = (units,)
    return [
        SEQUENCE(units=units),
        SEQUENCE("return_sequences", units=units, return_sequences=True),
        SEQUENCE("return_state", units=units, return_sequences=True, return_state=True),
        SEQUENCE("go_backwards", units=units, return_sequences=True, go_backwards=True),
        SEQUENCE("unroll", units=units, unroll=True, return_sequences=True),
        SEQUENCE("without bias", units=units, use_bias=False),
        SEQUENCE("relu", units=units, activation="relu"),
        SEQUENCE("dropout", units=units, dropout=0.2, recurrent_dropout=0.2),
        FREE("free length", units=units),
        FREE("free length return_sequences", units=units, return_sequences=True),
        On(TOKENS, _masked)("masked", units=units),
        On(TOKENS, _masked)(
            "masked return_sequences",
            units=units,
            return_sequences=True,
            return_state=True,
        ),
        On(TOKENS, _masked)(
            "masked zero_output_for_mask",
            units=units,
            return_sequences=True,
            zero_output_for_mask=True,
        ),
        On(TOKENS, _masked)(
            "masked go_backwards", units=units, return_sequences=True, go_backwards=True
        ),
        on((5, 4), *(state for _ in range(states)), call=_from_state)(
            "initial_state", units=units, return_state=True
        ),
        SEQUENCE("elu", units=units, return_sequences=True, activation="elu"),
        STATEFUL("stateful", units=units),
    ]


def _convolved(dims: int) -> list[Recipe]:
    side = (4, 5, 3)[:dims]
    last = on((3, *side, 2), filters=3, kernel_size=2)
    return [
        last(),
        last("return_sequences", return_sequences=True, padding="same"),
        last("return_state", return_state=True),
        last("strides", strides=2),
        last("dilated", dilation_rate=2, padding="same"),
        last("go_backwards", go_backwards=True, return_sequences=True),
        on((3, 2, *side), filters=3, kernel_size=2)(
            "channels_first", data_format="channels_first"
        ),
    ]


def _directions() -> list[Recipe]:
    def both(variant, make, call=None, shape=(5, 4), **arguments):
        base = On((Takes(shape),), call)
        return base.lazily(variant, lambda: {"layer": make(), **arguments})

    layers = keras.layers

    def lstm():
        return layers.LSTM(3, return_sequences=True)

    return [
        both("", lambda: layers.LSTM(3)),
        *(
            both(f"merge_mode {mode}", lstm, merge_mode=mode)
            for mode in ("sum", "mul", "ave", "concat")
        ),
        both("merge_mode none", lstm, merge_mode=None),
        both("of GRU", lambda: layers.GRU(3, return_sequences=True)),
        both("of SimpleRNN", lambda: layers.SimpleRNN(3)),
        both(
            "return_state",
            lambda: layers.LSTM(3, return_sequences=True, return_state=True),
        ),
        both("free length", lstm, shape=(None, 4)),
        On(TOKENS, _masked).lazily("masked", lambda: {"layer": lstm()}),
        On(TOKENS, _masked).lazily("masked last", lambda: {"layer": layers.GRU(3)}),
        SEQUENCE.lazily(
            "backward_layer",
            lambda: {
                "layer": layers.LSTM(3),
                "backward_layer": layers.GRU(4, go_backwards=True),
            },
        ),
    ]


def _looped(layer, x):
    return keras.layers.RNN(layer, return_sequences=True, return_state=True)(x)


def _once(layer, x, *states):
    return layer(x, list(states))


def _cell(units: int = 3, states: int = 1) -> list[Recipe]:
    return [
        on((5, 4), call=_looped)(units=units),
        on((4,), *((units,) for _ in range(states)), call=_once)("once", units=units),
    ]


def _cells():
    return [keras.layers.LSTMCell(3), keras.layers.GRUCell(4)]


def _of_cells() -> list[Recipe]:
    layers = keras.layers

    def one(variant, cell, takes=SEQUENCE.takes, call=None, **arguments):
        return On(takes, call).lazily(variant, lambda: {"cell": cell(), **arguments})

    return [
        one("", lambda: layers.LSTMCell(3)),
        one("return_state", lambda: layers.GRUCell(3), return_state=True),
        one(
            "go_backwards",
            lambda: layers.SimpleRNNCell(3),
            go_backwards=True,
            return_sequences=True,
        ),
        one("of a list of cells", _cells, return_sequences=True, return_state=True),
        one("unroll", lambda: layers.LSTMCell(3), unroll=True),
        one(
            "masked", lambda: layers.GRUCell(3), TOKENS, _masked, return_sequences=True
        ),
        one(
            "masked zero_output_for_mask",
            lambda: layers.LSTMCell(3),
            TOKENS,
            _masked,
            return_sequences=True,
            zero_output_for_mask=True,
        ),
        one("free length", lambda: layers.LSTMCell(3), (Takes((None, 4)),)),
    ]


def _gru() -> list[Recipe]:
    return [
        *_recurrent(),
        SEQUENCE("reset before", units=3, reset_after=False, return_sequences=True),
    ]


RECIPES: dict[str, list[Recipe]] = {
    "Bidirectional": _directions(),
    "ConvLSTM1D": _convolved(1),
    "ConvLSTM2D": _convolved(2),
    "ConvLSTM3D": _convolved(3),
    "GRU": _gru(),
    "GRUCell": _cell(),
    "LSTM": [
        *_recurrent(states=2),
        SEQUENCE("no forget bias", units=3, unit_forget_bias=False),
    ],
    "LSTMCell": _cell(states=2),
    "RNN": _of_cells(),
    "SimpleRNN": _recurrent(),
    "SimpleRNNCell": _cell(),
    "StackedRNNCells": [
        on((5, 4), call=_looped).lazily("", lambda: {"cells": _cells()}),
    ],
}
