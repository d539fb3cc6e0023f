"""Try convolutions of one, two and three dimensions."""

from __future__ import annotations

from tests.zoo.layers.recipe import On, Recipe, on

_LAST = {1: (9, 4), 2: (7, 8, 4), 3: (5, 6, 5, 4)}
_FREE = {1: (None, 4), 2: (None, None, 4), 3: (None, None, None, 4)}


def _first(shape):
    return (shape[-1], *shape[:-1])


def _usual(dims: int, **always) -> list[Recipe]:
    """Return recipes of the options that all of them have, as padding and strides."""
    last = on(_LAST[dims], **always)
    first = on(_first(_LAST[dims]), **always)
    free = on(_FREE[dims], **always)
    return [
        last(),
        last("same", padding="same"),
        last("strides", strides=2),
        last("strides same", strides=2, padding="same", use_bias=False),
        first("channels_first", data_format="channels_first", padding="same"),
        first("channels_first strides", data_format="channels_first", strides=2),
        free("free sides", padding="same", activation="relu"),
        free("free sides strides", padding="same", strides=2),
    ]


def _convolution(dims: int) -> list[Recipe]:
    always = {"filters": 6, "kernel_size": 3}
    last = on(_LAST[dims], **always)
    return [
        *_usual(dims, **always),
        last("dilated", dilation_rate=2),
        last("dilated same", dilation_rate=2, padding="same"),
        last("groups", groups=2),
        last("groups same", groups=2, padding="same", strides=2),
        last("low rank", lora_rank=2),
        on(_first(_LAST[dims]), **always)(
            "channels_first groups", groups=2, data_format="channels_first"
        ),
        on(_LAST[dims])("even kernel", filters=3, kernel_size=2, padding="same"),
    ]


def _transposed(dims: int) -> list[Recipe]:
    always = {"filters": 3, "kernel_size": 3}
    last = on(_LAST[dims], **always)
    return [
        *_usual(dims, **always),
        last("output_padding", strides=2, output_padding=1),
        last("output_padding same", strides=2, output_padding=1, padding="same"),
        last("dilated", dilation_rate=2),
        last("dilated same", dilation_rate=2, padding="same"),
        on(_LAST[dims])(
            "even kernel", filters=3, kernel_size=4, strides=2, padding="same"
        ),
        on(_LAST[dims])("kernel below stride", filters=3, kernel_size=2, strides=3),
        on(_FREE[dims])(
            "free sides kernel below stride", filters=3, kernel_size=2, strides=3
        ),
        on(_FREE[dims], **always)(
            "free sides output_padding", strides=2, output_padding=1, padding="same"
        ),
    ]


def _depthwise(dims: int) -> list[Recipe]:
    last = on(_LAST[dims], kernel_size=3)
    return [
        *_usual(dims, kernel_size=3),
        last("multiplied", depth_multiplier=2),
        last("multiplied strides", depth_multiplier=2, strides=2, padding="same"),
        last("dilated", dilation_rate=2, padding="same"),
        last("dilated multiplied", dilation_rate=2, depth_multiplier=3),
    ]


def _separable(dims: int) -> list[Recipe]:
    always = {"filters": 5, "kernel_size": 3}
    last = on(_LAST[dims], **always)
    return [
        *_usual(dims, **always),
        last("multiplied", depth_multiplier=2, padding="same"),
        last("dilated", dilation_rate=2),
    ]


def _causal(last: On) -> list[Recipe]:
    return [
        last("causal", padding="causal"),
        last("causal dilated", padding="causal", dilation_rate=2),
        last("causal strides", padding="causal", strides=2),
    ]


RECIPES: dict[str, list[Recipe]] = {
    "Conv1D": [
        *_convolution(1),
        *_causal(on(_LAST[1], filters=5, kernel_size=3)),
        on(_FREE[1])("causal free length", filters=5, kernel_size=3, padding="causal"),
    ],
    "Conv1DTranspose": _transposed(1),
    "Conv2D": [
        *_convolution(2),
        on(_LAST[2])("oblong", filters=3, kernel_size=(2, 3), strides=(1, 2)),
        on(_LAST[2])("one by one", filters=3, kernel_size=1, activation="gelu"),
    ],
    "Conv2DTranspose": [
        *_transposed(2),
        on(_LAST[2])("oblong", filters=3, kernel_size=(2, 3), strides=(1, 2)),
    ],
    "Conv3D": _convolution(3),
    "Conv3DTranspose": _transposed(3),
    "DepthwiseConv1D": _depthwise(1),
    "DepthwiseConv2D": _depthwise(2),
    "SeparableConv1D": _separable(1),
    "SeparableConv2D": _separable(2),
}
