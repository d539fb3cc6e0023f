"""Try dense layers, norms, shapes, merges and all other plain layers."""

from __future__ import annotations

from typing import Any

import keras

from tests.zoo.layers.recipe import On, Recipe, Takes, on, on_integers

ROW = on((6,))
ROWS = on((5, 4))
PICTURE = on((6, 5, 3))
VOLUME = on((4, 5, 3, 2))
CHANNELS_FIRST = on((3, 6, 5))
TWO = on((4, 3), (4, 3))
THREE = on((4, 3), (4, 3), (4, 3))
BROADCAST = on((4, 3), (1, 3))
TOKENS = on_integers((6,), high=8)
NORMED = on((6, 5, 4))


def _merge(**arguments):
    return [
        TWO(**arguments),
        THREE("of three", **arguments),
        BROADCAST("broadcast", **arguments),
    ]


def _of_two(**arguments):
    return [TWO(**arguments), BROADCAST("broadcast", **arguments)]


def _embed_and_back(layer, tokens):
    return layer(layer(tokens), reverse=True)


def _masked(layer, x):
    return keras.layers.LSTM(3, return_sequences=True)(layer(x))


RECIPES: dict[str, list[Recipe]] = {
    "Activation": [
        ROWS(activation="relu"),
        ROWS("gelu", activation="gelu"),
        ROWS("softmax", activation="softmax"),
    ],
    "ActivityRegularization": [ROW(l1=0.1, l2=0.1)],
    "Add": _merge(),
    "AlphaDropout": [ROWS(rate=0.3)],
    "Average": _merge(),
    "BatchNormalization": [
        PICTURE(),
        ROW("of rows"),
        ROWS("axis 1", axis=1),
        PICTURE("no scale, no center", scale=False, center=False),
        CHANNELS_FIRST("axis 1 of pictures", axis=1),
    ],
    "Concatenate": [
        TWO(),
        TWO("axis 1", axis=1),
        THREE("of three", axis=-2),
        on((4, 3), (4, 5))("of different lengths"),
    ],
    "Cropping1D": [ROWS(cropping=1), ROWS("uneven", cropping=(0, 3))],
    "Cropping2D": [
        PICTURE(cropping=1),
        PICTURE("uneven", cropping=((0, 2), (1, 0))),
        CHANNELS_FIRST(
            "channels_first", cropping=((1, 1), (0, 2)), data_format="channels_first"
        ),
    ],
    "Cropping3D": [
        VOLUME(cropping=1),
        VOLUME("uneven", cropping=((1, 0), (2, 1), (0, 1))),
        on((2, 4, 5, 3))("channels_first", cropping=1, data_format="channels_first"),
    ],
    "Dense": [
        ROW(units=4),
        ROWS("of sequences", units=4, activation="gelu"),
        ROW("without bias", units=4, use_bias=False, activation="softmax"),
        PICTURE("of pictures", units=2, activation="tanh"),
        ROWS("low rank", units=4, lora_rank=2),
    ],
    "Dot": [
        TWO(axes=2),
        TWO("axes 1", axes=1),
        TWO("normalized", axes=(2, 2), normalize=True),
        on((6,), (6,))("of rows", axes=1),
        on((4, 3), (5, 4))("mixed axes", axes=(1, 2)),
    ],
    "Dropout": [
        ROWS(rate=0.3),
        ROWS("noise_shape", rate=0.3, noise_shape=(None, 1, 4)),
    ],
    "ELU": [ROWS(), ROWS("alpha", alpha=0.3)],
    "EinsumDense": [
        ROW(equation="ab,bc->ac", output_shape=4, bias_axes="c"),
        ROWS(
            "of sequences",
            equation="abc,cd->abd",
            output_shape=(None, 7),
            bias_axes="d",
        ),
        ROWS("ellipsis", equation="...x,xy->...y", output_shape=3),
        ROWS(
            "heads", equation="abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"
        ),
        on((5, 2, 3))("heads joined", equation="abcd,cde->abe", output_shape=(None, 4)),
        ROWS(
            "swapped",
            equation="abc,bd->adc",
            output_shape=(7, 4),
            bias_axes="d",
            activation="relu",
        ),
    ],
    "Embedding": [
        TOKENS(input_dim=9, output_dim=4),
        on_integers((6,), high=8, call=_masked)(
            "mask_zero", input_dim=9, output_dim=4, mask_zero=True
        ),
        On((Takes((3, 2), "int64", 0, 8),))("int64", input_dim=9, output_dim=4),
        On((Takes((3,), "uint8", 0, 8),))("uint8", input_dim=9, output_dim=4),
        On((Takes((3,), "float32", 0, 8),))("float32", input_dim=9, output_dim=4),
    ],
    "Flatten": [
        PICTURE(),
        CHANNELS_FIRST("channels_first", data_format="channels_first"),
        on(())("of scalars"),
    ],
    "GaussianDropout": [ROWS(rate=0.3)],
    "GaussianNoise": [ROWS(stddev=0.5)],
    "GroupNormalization": [
        NORMED(groups=2),
        NORMED("instance", groups=-1),
        NORMED("layer", groups=1),
        on((4, 6, 5))("axis 1", groups=2, axis=1),
        on((None, None, 4))("free height and width", groups=2),
    ],
    "Identity": [ROWS()],
    "Lambda": [
        Recipe("", (Takes((4, 3)),), lambda: {"function": lambda x: x * 2.0 + 1.0}),
    ],
    "LayerNormalization": [
        ROWS(),
        ROWS("axes", axis=(1, 2)),
        ROWS("no scale, no center", scale=False, center=False),
        ROW("epsilon", epsilon=0.1),
        on((None, 4))("free length"),
    ],
    "LeakyReLU": [ROWS(), ROWS("slope", negative_slope=0.01)],
    "Masking": [
        on((5, 4), call=_masked)(mask_value=0.0),
        on((5, 4))("alone", mask_value=0.0),
    ],
    "Maximum": _merge(),
    "Minimum": _merge(),
    "Multiply": _merge(),
    "PReLU": [ROWS(), PICTURE("shared axes", shared_axes=[1, 2])],
    "Permute": [PICTURE(dims=(3, 1, 2)), ROWS("of sequences", dims=(2, 1))],
    "RMSNormalization": [ROWS(), PICTURE("of pictures", epsilon=1e-3)],
    "ReLU": [
        ROWS(),
        ROWS("bounded", max_value=1.5, negative_slope=0.1, threshold=0.2),
        ROWS("six", max_value=6.0),
    ],
    "RepeatVector": [ROW(n=3)],
    "Reshape": [
        ROW(target_shape=(3, 2)),
        ROWS("inferred", target_shape=(-1, 2)),
        PICTURE("flat", target_shape=(-1,)),
        on((None, 4))("free length", target_shape=(-1, 2, 2)),
    ],
    "ReversibleEmbedding": [
        TOKENS(input_dim=9, output_dim=4),
        on_integers((6,), high=8, call=_embed_and_back)(
            "and back", input_dim=9, output_dim=4, logit_soft_cap=3.0
        ),
        on_integers((6,), high=8, call=_embed_and_back)(
            "untied", input_dim=9, output_dim=4, tie_weights=False
        ),
    ],
    "Softmax": [ROWS(), ROWS("axis 1", axis=1), ROWS("axes", axis=(1, 2))],
    "SpatialDropout1D": [ROWS(rate=0.3)],
    "SpatialDropout2D": [PICTURE(rate=0.3)],
    "SpatialDropout3D": [VOLUME(rate=0.3)],
    "SpectralNormalization": [
        ROW.lazily("", lambda: {"layer": keras.layers.Dense(4)}),
        PICTURE.lazily(
            "of a convolution", lambda: {"layer": keras.layers.Conv2D(4, 3)}
        ),
    ],
    "Subtract": _of_two(),
    "TimeDistributed": [
        ROWS.lazily("", lambda: {"layer": keras.layers.Dense(3)}),
        on((3, 6, 5, 2)).lazily(
            "of a convolution", lambda: {"layer": keras.layers.Conv2D(4, 3)}
        ),
        # The length is fixed, because Keras 3.15 loops over the batch when it is free.
        on((3, 5, 4)).lazily(
            "of a recurrent net", lambda: {"layer": keras.layers.LSTM(3)}
        ),
    ],
    "UnitNormalization": [ROWS(), ROWS("axes", axis=(1, 2))],
    "UpSampling1D": [ROWS(size=2), on((None, 3))("free length", size=3)],
    "UpSampling2D": [
        PICTURE(),
        PICTURE("sizes", size=(3, 2)),
        PICTURE("bilinear", interpolation="bilinear"),
        PICTURE("bicubic", interpolation="bicubic"),
        PICTURE("lanczos3", interpolation="lanczos3"),
        PICTURE("lanczos5", interpolation="lanczos5"),
        CHANNELS_FIRST("channels_first", data_format="channels_first"),
        on((None, None, 3))("free height and width"),
    ],
    "UpSampling3D": [
        VOLUME(),
        VOLUME("sizes", size=(1, 2, 3)),
        on((2, 4, 5, 3))("channels_first", data_format="channels_first"),
    ],
    "ZeroPadding1D": [ROWS(), ROWS("uneven", padding=(0, 3))],
    "ZeroPadding2D": [
        PICTURE(),
        PICTURE("uneven", padding=((0, 2), (1, 0))),
        CHANNELS_FIRST("channels_first", padding=2, data_format="channels_first"),
        on((None, None, 3))("free height and width", padding=1),
    ],
    "ZeroPadding3D": [
        VOLUME(),
        VOLUME("uneven", padding=((1, 0), (2, 1), (0, 1))),
        on((2, 4, 5, 3))("channels_first", padding=1, data_format="channels_first"),
    ],
}


def _function(name: str, **arguments: Any) -> Recipe:
    """Return a recipe for a function that makes a merging layer and calls it."""

    def call(_, *tensors):
        return getattr(keras.layers, name)(list(tensors), **arguments)

    return Recipe("", TWO.takes, {}, call)


for _name in ("add", "average", "concatenate", "maximum", "minimum", "multiply"):
    RECIPES[_name] = [_function(_name)]
RECIPES["subtract"] = [_function("subtract")]
RECIPES["dot"] = [_function("dot", axes=2)]
