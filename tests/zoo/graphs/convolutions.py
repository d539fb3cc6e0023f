"""Convolutional networks are frozen as in TensorFlow 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.zoo.graphs.written import frozen, weights


def image(v1: Any, side: int | None = 8, channels: int = 3) -> Any:
    """Return the input of most networks."""
    return v1.placeholder(tf.float32, [None, side, side, channels], name="x")


def conv(v1: Any, x: Any, filters: int, size: int = 3, stride: int = 1) -> Any:
    """Convolve, add a bias and apply ReLU."""
    kernel = v1.constant(weights(size, size, x.shape[-1], filters))
    y = v1.nn.conv2d(x, kernel, strides=[1, stride, stride, 1], padding="SAME")
    return v1.nn.relu(v1.nn.bias_add(y, v1.constant(weights(1, filters)[0] * 0.1)))


def normalize(v1: Any, x: Any, operator: str = "FusedBatchNormV3") -> Any:
    """Normalize by learned statistics of a batch."""
    count = x.shape[-1]
    learned = [
        v1.constant(np.random.default_rng(n).uniform(0.5, 1.5, count), tf.float32)
        for n in range(4)
    ]
    run = getattr(tf.raw_ops, operator)
    return run(
        x=x,
        scale=learned[0],
        offset=learned[1],
        mean=learned[2],
        variance=learned[3],
        epsilon=1e-3,
        is_training=False,
    ).y


@frozen(x=(0, 255))
def fused_batch_norms(v1: Any) -> Any:
    """Use all three operators of that name."""
    x = image(v1) / 255.0
    for operator in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        x = normalize(v1, conv(v1, x, 4), operator)
    return v1.reduce_mean(x, [1, 2])


@frozen(x=(0, 255))
def alex_net(v1: Any) -> Any:
    """Use local response normalization, overlapping pools and a dropout at rest."""
    keep = v1.placeholder_with_default(np.float32(1), [], name="keep")
    x = v1.nn.lrn(conv(v1, image(v1) - 127.0, 8, 5), 2, bias=1.0, alpha=2e-5, beta=0.75)
    x = v1.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "VALID")
    x = v1.reshape(x, [-1, 3 * 3 * 8])
    x = v1.nn.relu(v1.matmul(x, v1.constant(weights(72, 16)))) * keep
    scores = v1.matmul(x, v1.constant(weights(16, 4))) / 100.0
    return v1.nn.softmax(scores)


@frozen(x=(0, 255))
def inception(v1: Any) -> Any:
    """Resize raw pixels and join towers, as that time's retrained Inceptions did."""
    x = v1.image.resize_bilinear(image(v1, None), [12, 12])
    x = v1.subtract(x, 128.0) * 0.0078125
    x = normalize(v1, conv(v1, x, 8, stride=2))
    pooled = v1.nn.avg_pool(x, [1, 3, 3, 1], [1, 1, 1, 1], "SAME")
    towers = [
        conv(v1, x, 4, 1),
        conv(v1, conv(v1, x, 4, 1), 4, 5),
        conv(v1, conv(v1, conv(v1, x, 4, 1), 4), 4),
        conv(v1, pooled, 4, 1),
    ]
    x = v1.concat(towers, 3)
    bottleneck = v1.squeeze(v1.nn.avg_pool(x, [1, 6, 6, 1], [1, 1, 1, 1], "VALID"))
    bottleneck = v1.reshape(bottleneck, [-1, 16])
    return v1.nn.softmax(v1.matmul(bottleneck, v1.constant(weights(16, 5))))


@frozen(x=(-1, 1))
def mobile_net(v1: Any) -> Any:
    """Convolve by depth and by point, with ReLU6, and end in a convolution."""
    x = v1.nn.relu6(normalize(v1, conv(v1, image(v1), 8, stride=2)))
    depth = v1.constant(weights(3, 3, 8, 1) * 2)
    x = v1.nn.depthwise_conv2d(x, depth, [1, 1, 1, 1], "SAME")
    x = v1.nn.relu6(normalize(v1, x))
    x = v1.nn.avg_pool(x, [1, 4, 4, 1], [1, 1, 1, 1], "VALID")
    kernel = v1.constant(weights(1, 1, 8, 5))
    x = v1.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME")
    return v1.nn.softmax(v1.squeeze(x, [1, 2]))


@frozen(x=(-1, 1))
def dilated_by_batches(v1: Any) -> Any:
    """Write dilation as space to batch, convolution, and batch to space."""
    kernel = v1.constant(weights(3, 3, 3, 4))
    x = v1.space_to_batch_nd(image(v1), [2, 2], [[2, 2], [2, 2]])
    x = v1.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="VALID")
    return v1.batch_to_space_nd(x, [2, 2], [[0, 0], [0, 0]])


@frozen(x=(-1, 1))
def dilated_of_any_size(v1: Any) -> Any:
    """Dilate pictures of any height and width by tf.nn.atrous_conv2d."""
    kernel = v1.constant(weights(3, 3, 3, 4))
    return v1.nn.atrous_conv2d(image(v1, None), kernel, 2, "SAME")


@frozen(x=(-1, 1))
def sub_pixels(v1: Any) -> Any:
    """Move depth to space, and back by another factor."""
    x = conv(v1, image(v1), 16)
    return v1.space_to_depth(v1.depth_to_space(x, 4), 2)


@frozen(x=(-1, 1))
def transposed(v1: Any) -> Any:
    """Upsample by a convolution, and compute the size of its answer."""
    x = image(v1, None)
    shape = v1.shape(x)
    size = v1.stack([shape[0], shape[1] * 2, shape[2] * 2, 4])
    kernel = v1.constant(weights(4, 4, 4, 3) * 3)
    return v1.nn.conv2d_transpose(x, kernel, size, [1, 2, 2, 1], "SAME")


@frozen(x=(-1, 1))
def text_in_pictures(v1: Any) -> Any:
    """Use a convolution's columns as the steps of a recurrent network, like CRNN."""
    from tests.zoo.graphs.loops import recur

    x = v1.nn.max_pool(
        conv(v1, image(v1, channels=1), 4), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"
    )
    columns = v1.reshape(v1.transpose(x, [0, 2, 1, 3]), [-1, 4, 16])
    outputs, _ = recur(v1, columns)
    flat = v1.reshape(outputs, [-1, 4])
    return v1.reshape(v1.matmul(flat, v1.constant(weights(4, 6))), [-1, 4, 6])


@frozen(x=(0, 255))
def detector_head(v1: Any) -> Any:
    """Decode boxes against anchors, with the classes beside them, like SSD."""
    x = conv(v1, image(v1) / 255.0, 8, stride=4)
    anchors = np.stack(np.meshgrid([0.25, 0.75], [0.25, 0.75]), -1).reshape(4, 2)
    anchors = v1.constant(anchors, tf.float32)
    raw = v1.reshape(conv(v1, x, 7, 1), [-1, 4, 7])
    centre = raw[:, :, :2] * 0.1 + anchors
    size = v1.exp(v1.minimum(raw[:, :, 2:4] * 0.2, 2.0)) * 0.5
    scores = v1.sigmoid(raw[:, :, 4:])
    return v1.concat([centre - size / 2, centre + size / 2, scores], 2)
