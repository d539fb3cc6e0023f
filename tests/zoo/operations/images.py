"""Try ``keras.ops.image``."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

PICTURE = Takes((8, 9, 3), 0.0, 1.0)
GREY = Takes((8, 9, 1), 0.0, 1.0)
FREE = Takes((None, None, 3), 0.0, 1.0)
BYTES = Takes((8, 9, 3), 0, 255, "uint8")
VOLUME = Takes((6, 6, 6, 2))
WAYS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
FILLS = ("constant", "nearest", "wrap", "reflect")
TURN = [0.9, 0.2, -1.0, -0.15, 1.1, 0.5, 0.001, 0.002]
START = [[0.0, 0.0], [0.0, 8.0], [7.0, 0.0], [7.0, 8.0]]
END = [[1.0, 0.5], [0.3, 7.0], [6.0, 1.0], [7.0, 7.5]]


def _scaled(method, antialias):
    def body(op, x):
        return op(
            x,
            (ops.shape(x)[0], 5, 6, 3),
            [0.7, 0.6],
            [0.3, -0.4],
            (1, 2),
            method,
            antialias=antialias,
        )

    return body


def _mapped(order, fill):
    def body(op, x):
        plane = ops.mean(x, axis=(0, 3))
        grid = ops.stack(ops.meshgrid(ops.arange(8.0), ops.arange(9.0), indexing="ij"))
        return op(plane, grid * 1.3 - 1.1, order, fill_mode=fill)

    return body


RECIPES: dict[str, list[Recipe]] = {
    "affine_transform": [
        *(
            by(
                lambda op, x, fill=fill: op(
                    x, ops.convert_to_tensor([TURN]), fill_mode=fill
                ),
                PICTURE,
                note=fill,
            )
            for fill in FILLS
        ),
        by(
            lambda op, x: op(x, ops.convert_to_tensor([TURN]), interpolation="nearest"),
            PICTURE,
            note="nearest way",
        ),
        by(
            lambda op, x, t: op(x, ops.concatenate([t, t[:, :2] * 0.01], axis=1)),
            PICTURE,
            Takes((6,), 0.5, 1.5),
            note="given",
        ),
    ],
    "crop_images": [
        on(PICTURE, top_cropping=1, left_cropping=2, target_height=5, target_width=4),
        on(
            PICTURE,
            bottom_cropping=1,
            right_cropping=2,
            target_height=5,
            target_width=4,
            note="end",
        ),
    ],
    "elastic_transform": [by(lambda op, x: op(x, seed=1), PICTURE)],
    "extract_patches": [
        on(PICTURE, size=3),
        on(PICTURE, size=(2, 3), strides=2, padding="same", note="same"),
        on(PICTURE, size=2, strides=1, dilation_rate=2, note="dilated"),
    ],
    "extract_patches_3d": [
        on(VOLUME, size=2),
        on(VOLUME, size=3, strides=2, padding="same", note="same"),
    ],
    "gaussian_blur": [
        on(PICTURE),
        on(PICTURE, kernel_size=(5, 3), sigma=(0.8, 1.7), note="wide"),
    ],
    "hsv_to_rgb": [on(PICTURE)],
    "map_coordinates": [
        by(_mapped(order, fill), PICTURE, note=f"{order} {fill}")
        for order in (0, 1)
        for fill in FILLS
    ],
    "pad_images": [
        on(PICTURE, top_padding=1, left_padding=2, target_height=12, target_width=13)
    ],
    "perspective_transform": [
        by(
            lambda op, x, way=way: op(
                x,
                ops.convert_to_tensor([START]),
                ops.convert_to_tensor([END]),
                interpolation=way,
            ),
            PICTURE,
            note=way,
        )
        for way in ("bilinear", "nearest")
    ],
    "resize": [
        *(on(PICTURE, size=(5, 12), interpolation=way, note=way) for way in WAYS),
        *(
            on(
                PICTURE,
                size=(3, 4),
                interpolation=way,
                antialias=True,
                note=f"{way} antialias",
            )
            for way in WAYS
        ),
        on(PICTURE, size=(4, 4), crop_to_aspect_ratio=True, note="crop"),
        on(PICTURE, size=(4, 4), pad_to_aspect_ratio=True, note="pad"),
        on(FREE, size=(5, 6), note="free"),
        # The sizes become halves and thirds: numbers between two bytes are exact, so
        # both round alike.
        on(BYTES, size=(4, 3), note="uint8"),
        on(BYTES, size=(5, 6), interpolation="nearest", note="uint8 nearest"),
    ],
    "rgb_to_grayscale": [on(PICTURE)],
    "rgb_to_hsv": [on(PICTURE)],
    "scale_and_translate": [
        by(_scaled(way, antialias), PICTURE, note=f"{way} {antialias}")
        for way in ("linear", "cubic", "lanczos3", "lanczos5")
        for antialias in (True, False)
    ],
    "sobel_edges": [on(PICTURE)],
    "ssim": [
        on(Takes((12, 13, 3), 0.0, 1.0), Takes((12, 13, 3), 0.0, 1.0)),
        on(
            Takes((12, 13, 1), 0.0, 1.0),
            Takes((12, 13, 1), 0.0, 1.0),
            filter_size=5,
            note="small",
        ),
    ],
}
