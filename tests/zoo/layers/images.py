"""Try layers that change pictures; random ones do nothing in inference."""

from __future__ import annotations

import keras

from tests.zoo.layers.recipe import On, Recipe, Takes

SHAPE = (8, 10, 3)


def _pixels(*shape, dtype="float32", high=255.0):
    return On((Takes(shape or SHAPE, dtype, 0, high),))


PICTURE = _pixels()
BYTES = _pixels(dtype="uint8")
UNIT = _pixels(high=1.0)
FIRST = _pixels(3, 8, 10)
FREE = _pixels(None, None, 3)

# Each layer has these arguments; all are in inference mode.
_RANDOM = {
    "AugMix": {},
    "CutMix": {},
    "MixUp": {},
    "RandAugment": {},
    "RandomBrightness": {"factor": 0.2},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomColorJitter": {
        "brightness_factor": 0.2,
        "contrast_factor": 0.2,
        "saturation_factor": 0.5,
        "hue_factor": 0.2,
    },
    "RandomContrast": {"factor": 0.2},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomFlip": {},
    "RandomGaussianBlur": {},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.2},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomShear": {"x_factor": 0.2, "y_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
}


def _resized() -> list[Recipe]:
    ways = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5")
    return [
        *(PICTURE(way, height=5, width=14, interpolation=way) for way in ways),
        *(
            PICTURE(
                f"{way} antialias", height=5, width=4, interpolation=way, antialias=True
            )
            for way in ("bilinear", "bicubic", "lanczos3", "lanczos5")
        ),
        *(
            FREE(f"{way} free sides", height=5, width=14, interpolation=way)
            for way in ("bilinear", "nearest", "bicubic", "lanczos3")
        ),
        PICTURE("crop_to_aspect_ratio", height=5, width=4, crop_to_aspect_ratio=True),
        PICTURE(
            "pad_to_aspect_ratio",
            height=5,
            width=4,
            pad_to_aspect_ratio=True,
            fill_value=7.0,
        ),
        FREE(
            "free sides crop_to_aspect_ratio",
            height=5,
            width=4,
            crop_to_aspect_ratio=True,
        ),
        FREE(
            "free sides pad_to_aspect_ratio",
            height=5,
            width=4,
            pad_to_aspect_ratio=True,
        ),
        FIRST("channels_first", height=5, width=4, data_format="channels_first"),
        BYTES("uint8", height=5, width=4),
        BYTES("uint8 nearest", height=5, width=4, interpolation="nearest"),
        PICTURE("larger", height=16, width=20),
        PICTURE("half", height=4, width=5),
    ]


class _Training(keras.Layer):
    """Call a layer in training mode; elsewhere it does nothing, not even in a model."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, images):
        return self.layer(images, training=True)


def _trained(layer, images):
    return _Training(layer)(images)


def _boxes(layer, images, boxes, labels):
    answer = layer(
        {"images": images, "bounding_boxes": {"boxes": boxes, "labels": labels}}
    )
    return [answer["bounding_boxes"]["boxes"], answer["bounding_boxes"]["labels"]]


RECIPES: dict[str, list[Recipe]] = {
    **{name: [PICTURE(**arguments)] for name, arguments in _RANDOM.items()},
    "AutoContrast": [
        PICTURE(),
        BYTES("uint8"),
        UNIT("unit range", value_range=(0, 1)),
    ],
    "CenterCrop": [
        PICTURE(height=4, width=5),
        PICTURE("larger", height=12, width=12),
        FIRST("channels_first", height=4, width=5, data_format="channels_first"),
        FREE("free sides", height=4, width=5),
    ],
    "ContrastLimitedAdaptiveHistogramEqualization": [
        _pixels(16, 16, 3)(tile_grid_size=(2, 2)),
        _pixels(16, 16, 1)("gray", tile_grid_size=(4, 2)),
    ],
    "Equalization": [
        On(PICTURE.takes, _trained)(),
        On(UNIT.takes, _trained)("unit range", value_range=(0, 1)),
        On(BYTES.takes, _trained)("uint8"),
        On(FIRST.takes, _trained)("channels_first", data_format="channels_first"),
        On(PICTURE.takes, _trained)("few bins", bins=16),
    ],
    "MaxNumBoundingBoxes": [
        On(
            (Takes(SHAPE), Takes((5, 4), "float32", 0, 8), Takes((5,), "int32", 0, 3)),
            _boxes,
        )(max_number=3, bounding_box_format="xyxy"),
        On(
            (Takes(SHAPE), Takes((2, 4), "float32", 0, 8), Takes((2,), "int32", 0, 3)),
            _boxes,
        )("padded", max_number=3, bounding_box_format="xyxy"),
    ],
    "Pipeline": [
        PICTURE.lazily(
            "",
            lambda: {
                "layers": [keras.layers.CenterCrop(4, 5), keras.layers.Rescaling(0.1)]
            },
        ),
    ],
    "RandomCrop": [
        PICTURE(height=4, width=5),
        PICTURE("larger", height=12, width=12),
    ],
    "Rescaling": [
        PICTURE(scale=1 / 255),
        PICTURE("offset", scale=1 / 127.5, offset=-1),
        BYTES("uint8", scale=1 / 255),
        PICTURE("of channels", scale=[0.1, 0.2, 0.3], offset=[1.0, 2.0, 3.0]),
    ],
    "Resizing": _resized(),
    "Solarization": [
        PICTURE(),
        PICTURE("thresholds", threshold_factor=(0.5, 0.5), addition_factor=(0.1, 0.1)),
        BYTES("uint8"),
    ],
}
