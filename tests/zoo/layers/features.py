"""Try layers that make features of table columns, of sound and of words."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np

from tests.zoo.layers.recipe import On, Recipe, Takes, on, on_integers
from tests.zoo.specimen import enliven

FEW = on_integers((4,), high=5)
ONE = on_integers((1,), high=5)
WIDE = On((Takes((3,), "int64", -3, 12),))
# ONNX does not read the characters of texts.
TEXTS = On((Takes((3,), "string"),))
WORDS = On((Takes((3,), "string"),), refused="StringToHashBucketFast")
BOUNDARIES = [-1.0, 0.0, 0.5, 1.5]
NAMES = ["e", "mu", "τ"]
VOCABULARY = [2, 5, 7, 11]


def _wave(*shape, call=None):
    return On((Takes(shape, "float32", -1.0, 1.0),), call)


def _counts(layer, tokens, weights):
    return layer(tokens, count_weights=weights)


def _adapted(layer, x):
    layer.adapt(np.random.default_rng(0).normal(3.0, 2.0, (64, 4)).astype("float32"))
    return layer(x)


def _saved_model():
    """Return the arguments of TFSMLayer for a SavedModel on disk."""
    model = enliven(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
    folder = Path(tempfile.mkdtemp(prefix="zoo-"), "model")
    model.export(folder, verbose=False)
    return {"filepath": str(folder), "call_endpoint": "serving_default"}


def _only(layer, x):
    (answer,) = layer(x).values()
    return answer


# The windows are an array, because windows by name come from SciPy, which nothing else
# here needs.
_SPECTRUM = {
    "frame_length": 16,
    "frame_step": 8,
    "fft_length": 32,
    "window": np.hanning(16).astype("float32"),
}
_MELS = {
    "fft_length": 32,
    "sequence_stride": 8,
    "num_mel_bins": 6,
    "sampling_rate": 800,
    "max_freq": 400.0,
}

RECIPES: dict[str, list[Recipe]] = {
    "CategoryEncoding": [
        FEW(num_tokens=6),
        ONE("one_hot", num_tokens=6, output_mode="one_hot"),
        FEW("count", num_tokens=6, output_mode="count"),
        On((Takes((4,), "int32", 0, 5), Takes((4,))), _counts)(
            "count_weights", num_tokens=6, output_mode="count"
        ),
        FEW("one_hot of several", num_tokens=6, output_mode="one_hot"),
        On((Takes((4,), "int64", 0, 5),))("int64", num_tokens=6),
    ],
    "Discretization": [
        on((4,))(bin_boundaries=BOUNDARIES),
        on((1,))("one_hot", bin_boundaries=BOUNDARIES, output_mode="one_hot"),
        on((4,))("multi_hot", bin_boundaries=BOUNDARIES, output_mode="multi_hot"),
        on((4,))("count", bin_boundaries=BOUNDARIES, output_mode="count"),
        on((4,), call=_adapted)("adapted", num_bins=5),
    ],
    "HashedCrossing": [
        On((Takes((1,), "int64", -5, 99), Takes((1,), "int64", 0, 9999)))(num_bins=7),
        On((Takes((1,), "int32", 0, 9), Takes((1,), "int32", 0, 9)))(
            "one_hot", num_bins=5, output_mode="one_hot"
        ),
        On((Takes((1,), "int64", -9, 9),) * 2)("many bins", num_bins=100_000),
        On((Takes((1,), "string"), Takes((1,), "string")), refused="SparseCross")(
            "of strings", num_bins=5
        ),
    ],
    "Hashing": [
        On((Takes((3,), "int64", -12345, 123456789),))(num_bins=7),
        On((Takes((3,), "int32", 0, 99),))("int32", num_bins=1000),
        WIDE("mask_value", num_bins=5, mask_value=3),
        WIDE("salt", num_bins=9, salt=133),
        WIDE("multi_hot", num_bins=5, output_mode="multi_hot"),
        WORDS("of strings", num_bins=5),
    ],
    "IntegerLookup": [
        WIDE(vocabulary=VOCABULARY),
        WIDE("mask_token", vocabulary=VOCABULARY, mask_token=0),
        WIDE("oov indices", vocabulary=VOCABULARY, num_oov_indices=3),
        On((Takes((1,), "int64", 0, 12),))(
            "one_hot", vocabulary=VOCABULARY, output_mode="one_hot"
        ),
        WIDE("multi_hot", vocabulary=VOCABULARY, output_mode="multi_hot"),
        WIDE("count", vocabulary=VOCABULARY, output_mode="count"),
        WIDE(
            "tf_idf",
            vocabulary=VOCABULARY,
            output_mode="tf_idf",
            idf_weights=[0.5, 1.0, 1.5, 2.0],
        ),
        On((Takes((3,), "int64", 1, 4),))("invert", vocabulary=VOCABULARY, invert=True),
        On((Takes((3,), "int32", 0, 12),))("int32", vocabulary=VOCABULARY),
        WIDE(
            "farmhash", vocabulary=VOCABULARY, num_oov_indices=3, oov_method="farmhash"
        ),
    ],
    "MelSpectrogram": [
        _wave(100)(**_MELS),
        _wave(100)("no decibels", power_to_db=False, **_MELS),
        _wave(100)("no window", window=None, power_to_db=False, **_MELS),
        _wave(None)(
            "free length",
            power_to_db=False,
            **{**_MELS, "fft_length": 8, "sequence_stride": 2},
        ),
        _wave(100)("magnitude", **{**_MELS, "power_to_db": False, "mag_exp": 1.0}),
        _wave(100)(
            "sequence_length", power_to_db=False, **{**_MELS, "sequence_length": 20}
        ),
    ],
    "Normalization": [
        on((4,))(mean=[1.0, 2.0, 3.0, 4.0], variance=[0.5, 1.0, 2.0, 3.0]),
        on((4,))("invert", mean=3.0, variance=2.0, invert=True),
        on((4,))("scalars", axis=None, mean=3.0, variance=2.0),
        on((4,), call=_adapted)("adapted"),
    ],
    "STFTSpectrogram": [
        *(
            _wave(100, 2)("" if mode == "log" else mode, mode=mode, **_SPECTRUM)
            for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
        ),
        _wave(100, 1)("same", mode="magnitude", padding="same", **_SPECTRUM),
        _wave(100, 2)("expand_dims", mode="magnitude", expand_dims=True, **_SPECTRUM),
        _wave(None, 1)(
            "free length",
            mode="magnitude",
            frame_length=4,
            frame_step=2,
            fft_length=8,
            window=None,
        ),
    ],
    "StringLookup": [
        TEXTS(vocabulary=NAMES),
        TEXTS("mask_token", vocabulary=NAMES, mask_token=""),
        TEXTS("no oov indices", vocabulary=NAMES, num_oov_indices=0),
        On((Takes((1,), "string"),))(
            "one_hot", vocabulary=NAMES, output_mode="one_hot"
        ),
        TEXTS("multi_hot", vocabulary=NAMES, output_mode="multi_hot"),
        TEXTS("count", vocabulary=NAMES, output_mode="count"),
        TEXTS(
            "tf_idf",
            vocabulary=NAMES,
            output_mode="tf_idf",
            idf_weights=[0.5, 1.0, 1.5],
        ),
        On((Takes((3,), "int64", 1, 3),))("invert", vocabulary=NAMES, invert=True),
        WORDS("oov indices", vocabulary=NAMES, num_oov_indices=3),
    ],
    "TFSMLayer": [on((4,), call=_only).lazily("", _saved_model)],
    "TextVectorization": [
        On((Takes((1,), "string"),), refused="StringSplitV2")(vocabulary=["a", "b"]),
        On((Takes((1,), "string"),))(
            "whole texts", vocabulary=NAMES, standardize=None, split=None
        ),
    ],
}
