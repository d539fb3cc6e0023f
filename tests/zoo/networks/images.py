"""Use tf.image, and the older pooling and convolution operators of tf.nn."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from tests.zoo.networks.built import Function, network, of_tensors


@network(image=(0, 255))
def resized() -> keras.Model:
    """Resize by every method that people use, up, down, and to a computed size."""

    def run(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
        size = tf.shape(image)[1:3] * 2
        return (
            tf.image.resize(image, [12, 10]),
            tf.image.resize(image, [3, 4]),
            tf.image.resize(image, size, "nearest"),
            tf.image.resize(image, [5, 9], "bicubic"),
            tf.image.resize(image, [5, 9], "area"),
            tf.image.resize(image, [16, 12], "lanczos3"),
            tf.image.resize(image, [4, 4], "bilinear", antialias=True),
            tf.image.resize_with_pad(image, 9, 9),
        )

    return of_tensors(run, image=(6, 8, 3))


@network(image=(0, 255))
def resized_from_any_size() -> keras.Model:
    """Resize any picture to one size, as the first step of many served models does."""
    image = keras.Input((None, None, 3), name="image")
    x = Function(lambda x: tf.image.resize(x, [8, 8]))(image)
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(x / 255.0))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


@network(image=(0, 1))
def coloured() -> keras.Model:
    """Change colours, brightness, contrast and saturation."""

    def run(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.image.rgb_to_grayscale(image),
            tf.image.grayscale_to_rgb(image[..., :1]),
            tf.image.adjust_brightness(image, 0.2),
            tf.image.adjust_contrast(image, 1.5),
            tf.image.adjust_saturation(image, 0.5),
            tf.image.adjust_gamma(image, 2.0),
            tf.image.rgb_to_hsv(image),
            tf.image.hsv_to_rgb(image),
            tf.image.rgb_to_yuv(image),
            tf.image.per_image_standardization(image),
        )

    return of_tensors(run, image=(4, 6, 3))


@network(image=(0, 1))
def turned() -> keras.Model:
    """Flip, turn and crop."""

    def run(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.image.flip_left_right(image),
            tf.image.flip_up_down(image),
            tf.image.rot90(image, 1),
            tf.image.central_crop(image, 0.5),
            tf.image.crop_to_bounding_box(image, 1, 2, 2, 3),
            tf.image.transpose(image),
        )

    return of_tensors(run, image=(4, 6, 3))


@network(image=(0, 255), boxes=(0, 1))
def cropped_regions() -> keras.Model:
    """Pool regions as a two-stage detector does."""

    def run(image: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        count = tf.shape(image)[0]
        return tf.image.crop_and_resize(image, boxes, tf.range(count), [3, 3])

    return of_tensors(run, image=(8, 8, 2), boxes=(4,))


@network(image=(-1, 1))
def pooled() -> keras.Model:
    """Pool with the places of maxima, by sums of squares, and by grey dilation."""

    def run(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
        greatest, places = tf.nn.max_pool_with_argmax(image, 2, 2, "VALID")
        return (
            greatest,
            places,
            tf.nn.max_pool2d(image, 3, 2, "SAME"),
            tf.nn.avg_pool2d(image, 3, 2, "SAME"),
            tf.nn.pool(image, [2, 2], "MAX", strides=[1, 1]),
            tf.nn.local_response_normalization(image, 1, 1.0, 0.5, 0.75),
            tf.nn.dilation2d(
                image, tf.zeros([2, 2, 4]), [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1]
            ),
            tf.nn.erosion2d(
                image, tf.ones([2, 2, 4]), [1, 1, 1, 1], "VALID", "NHWC", [1, 1, 1, 1]
            ),
        )

    return of_tensors(run, image=(6, 6, 4))


@network(image=(-1, 1))
def convolved() -> keras.Model:
    """Convolve with own paddings and fixed filters, grouped, dilated and transposed."""
    kernel = tf.reshape(tf.sin(tf.range(3 * 3 * 4 * 4, dtype=tf.float32)), [3, 3, 4, 4])

    def run(image: tf.Tensor) -> tuple[tf.Tensor, ...]:
        wide = [[0, 0], [2, 1], [0, 3], [0, 0]]
        return (
            tf.nn.conv2d(image, kernel, 2, wide),
            tf.nn.conv2d(image, kernel[:, :, :2], 1, "SAME"),
            tf.nn.conv2d(image, kernel, 1, "VALID", dilations=2),
            tf.nn.atrous_conv2d(image, kernel, 2, "SAME"),
            tf.nn.depthwise_conv2d(image, kernel[..., :2], [1, 1, 1, 1], "SAME"),
            tf.nn.conv2d_transpose(
                image, kernel, [tf.shape(image)[0], 12, 12, 4], 2, "SAME"
            ),
            tf.image.sobel_edges(image),
            tf.nn.separable_conv2d(
                image, kernel[..., :1], kernel[:1, :1], [1, 1, 1, 1], "SAME"
            ),
        )

    return of_tensors(run, image=(6, 6, 4))


@network(image=(-1, 1), flow=(-2, 2))
def warped() -> keras.Model:
    """Fetch pixels from the places to which a flow points, between four neighbours."""

    def run(image: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
        down, across = tf.meshgrid(tf.range(6.0), tf.range(6.0), indexing="ij")
        place = tf.clip_by_value(tf.stack([down, across], -1) + flow, 0.0, 4.99)
        low = tf.floor(place)
        share = place - low
        corner = tf.cast(low, tf.int32)

        def at(*step: int) -> tf.Tensor:
            return tf.gather_nd(image, corner + tf.constant(step), batch_dims=1)

        top = at(0, 0) * (1 - share[..., 1:]) + at(0, 1) * share[..., 1:]
        bottom = at(1, 0) * (1 - share[..., 1:]) + at(1, 1) * share[..., 1:]
        return top * (1 - share[..., :1]) + bottom * share[..., :1]

    return of_tensors(run, image=(6, 6, 2), flow=(6, 6, 2))
