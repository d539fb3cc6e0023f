"""Convolutional networks return classes, masks, depth and boxes of any size."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tests.zoo.networks.built import Function, network


def _image(side: int | None = 16, channels: int = 3) -> Any:
    return keras.Input((side, side, channels), name="image")


def _conv(x: Any, filters: int, size: int = 3, **how: Any) -> Any:
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, **how)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _unet(image: Any) -> keras.Model:
    x, skips = layers.Rescaling(1 / 255)(image), []
    for filters in (4, 8):
        x = _conv(_conv(x, filters), filters)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.5)(_conv(x, 8))
    for filters, skip in zip((8, 4), reversed(skips), strict=True):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = _conv(layers.Concatenate()([x, skip]), filters)
    return keras.Model(image, layers.Conv2D(2, 1, activation="softmax")(x))


@network(image=(0, 255))
def unet() -> keras.Model:
    """Go down, up and across, and return a class of each pixel."""
    return _unet(_image())


@network(image=(0, 255))
def unet_of_any_size() -> keras.Model:
    """Run the U-Net on pictures of any height and width."""
    return _unet(_image(None))


@network(image=(0, 255))
def residual() -> keras.Model:
    """Use blocks with shortcuts, one of which halves the picture."""
    image = _image()
    x = _conv(layers.Rescaling(1 / 127.5, offset=-1)(image), 8)
    for stride in (1, 2):
        inner = _conv(x, 8, strides=stride)
        inner = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(inner))
        if stride == 2:
            x = layers.Conv2D(8, 1, strides=2)(x)
        x = layers.ReLU()(layers.Add()([x, inner]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


@network(image=(0, 255))
def inverted_residual_of_any_size() -> keras.Model:
    """Convolve by depth, squeeze, excite, use hard swish; any height and width."""
    image = _image(None)
    x = _conv(layers.Rescaling(1 / 255)(image), 8, strides=2)
    inner = layers.DepthwiseConv2D(5, padding="same")(x)
    inner = layers.Activation("hard_swish")(layers.BatchNormalization()(inner))
    share = layers.GlobalAveragePooling2D(keepdims=True)(inner)
    share = layers.Conv2D(2, 1, activation="relu")(share)
    share = layers.Conv2D(8, 1, activation="hard_sigmoid")(share)
    x = x + layers.Conv2D(8, 1)(inner * share)
    x = layers.SeparableConv2D(8, 3, activation="relu6")(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


@network(image=(0, 255))
def grouped_and_dilated() -> keras.Model:
    """Use groups, rates and the picture's mean besides, like ResNeXt and DeepLab."""
    image = _image()
    x = _conv(layers.Rescaling(1 / 255)(image), 8, groups=1)
    x = _conv(x, 8, groups=4)
    near = [_conv(x, 4, dilation_rate=rate) for rate in (1, 2, 4)]
    mean = layers.Conv2D(4, 1)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    mean = layers.UpSampling2D(16, interpolation="bilinear")(mean)
    x = layers.Conv2D(3, 1)(layers.Concatenate()([*near, mean]))
    return keras.Model(image, layers.Softmax()(x))


@network(image=(0, 255))
def pyramid_detector() -> keras.Model:
    """Compare boxes of two scales with a grid, and keep the best, like YOLO."""
    image = _image()
    fine = _conv(layers.Rescaling(1 / 255)(image), 8, strides=2)
    coarse = _conv(fine, 8, strides=2)
    fine = layers.Concatenate()([fine, layers.UpSampling2D(2)(coarse)])

    def decode(raw: tf.Tensor) -> tf.Tensor:
        height, width = tf.shape(raw)[1], tf.shape(raw)[2]
        across, down = tf.meshgrid(tf.range(width), tf.range(height))
        grid = tf.cast(tf.stack([across, down], axis=-1), tf.float32)
        centre = (tf.sigmoid(raw[..., :2]) + grid) / tf.cast(
            tf.stack([width, height]), tf.float32
        )
        size = tf.exp(tf.minimum(raw[..., 2:4], 2.0)) * 0.1
        box = tf.concat([centre - size / 2, centre + size / 2], axis=-1)
        scored = tf.concat([box, tf.sigmoid(raw[..., 4:])], axis=-1)
        return tf.reshape(scored, [tf.shape(raw)[0], -1, 7])

    found = [Function(decode)(layers.Conv2D(7, 1)(x)) for x in (fine, coarse)]
    every = layers.Concatenate(axis=1)(found)

    def keep(every: tf.Tensor) -> tuple[tf.Tensor, ...]:
        kept = tf.image.combined_non_max_suppression(
            every[:, :, tf.newaxis, :4], every[..., 5:], 5, 8, 0.5, 0.3
        )
        return kept.nmsed_boxes, kept.nmsed_scores, kept.nmsed_classes

    return keras.Model(image, Function(keep)(every))


@network(image=(0, 255))
def super_resolution() -> keras.Model:
    """Make pixels from channels, at any height and width."""
    image = _image(None)
    x = layers.Conv2D(8, 5, padding="same", activation="tanh")(
        layers.Rescaling(1 / 255)(image)
    )
    x = layers.Conv2D(12, 3, padding="same")(x)
    x = Function(lambda x: tf.nn.depth_to_space(x, 2))(x)
    return keras.Model(
        image, Function(lambda x: tf.clip_by_value(x, 0.0, 1.0) * 255)(x)
    )


@network(left=(0, 255), right=(0, 255))
def siamese() -> keras.Model:
    """Run one CNN on two pictures, and return how far apart they are."""
    tower = keras.Sequential(
        [
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(6),
            layers.UnitNormalization(),
        ],
        name="tower",
    )
    left = keras.Input((8, 8, 1), name="left")
    right = keras.Input((8, 8, 1), name="right")
    ends = tower(left), tower(right)
    distance = Function(
        lambda a, b: tf.norm(a - b, axis=-1, keepdims=True), name="distance"
    )(*ends)
    cosine = layers.Dot(axes=1, normalize=True)(ends)
    return keras.Model([left, right], [distance, cosine])


@network(volume=(0, 1))
def volume_segmenter() -> keras.Model:
    """Segment three axes, as in a CT."""
    volume = keras.Input((8, 8, 8, 1), name="volume")
    x = skip = layers.Conv3D(4, 3, padding="same", activation="relu")(volume)
    x = layers.MaxPooling3D()(x)
    x = layers.Conv3D(4, 3, padding="same", activation="leaky_relu")(x)
    x = layers.Conv3DTranspose(4, 2, strides=2)(x)
    x = layers.Concatenate()([x, skip])
    return keras.Model(volume, layers.Conv3D(2, 1, activation="softmax")(x))


@network(image=(0, 255), numbers=(-3, 3))
def pictures_and_numbers() -> keras.Model:
    """Take two kinds of inputs, and return three of outputs, from nested models."""
    image = _image(8)
    numbers = keras.Input((3,), name="numbers")
    eye = keras.Sequential(
        [layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.Flatten()], name="eye"
    )
    inner = keras.Input((3,))
    table = keras.Model(inner, layers.Dense(4, activation="elu")(inner), name="table")
    x = layers.Concatenate()([eye(image), table(numbers)])
    trunk = layers.Dense(8, activation="selu", name="trunk")(x)
    return keras.Model(
        [image, numbers],
        [
            layers.Dense(1, name="value")(trunk),
            layers.Dense(4, activation="softmax", name="kind")(trunk),
            layers.Dense(2, activation="sigmoid", name="flags")(trunk),
        ],
    )


@network(image=(0, 255))
def heat_maps() -> keras.Model:
    """Return the integer place and the score of the best of three points each."""
    image = _image()
    maps = layers.Conv2D(3, 3, padding="same")(_conv(layers.Rescaling(0.01)(image), 4))

    def best(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        flat = tf.reshape(maps, [-1, 256, 3])
        place = tf.argmax(flat, axis=1, output_type=tf.int32)
        return tf.stack([place // 16, place % 16], axis=-1), tf.reduce_max(flat, axis=1)

    return keras.Model(image, Function(best)(maps))
