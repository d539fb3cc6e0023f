"""Frozen graphs hold these operators, which TensorFlow 2 seldom writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.zoo.graphs.convolutions import image
from tests.zoo.graphs.written import frozen, weights


def row(v1: Any, count: int = 4) -> Any:
    """Return the input of most graphs."""
    return v1.placeholder(tf.float32, [None, count], name="x")


@frozen(x=(-1, 1))
def greatest_with_places(v1: Any) -> Any:
    """Pool, and tell the place of each greatest number."""
    greatest, places = v1.nn.max_pool_with_argmax(
        image(v1, 6), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"
    )
    return greatest + v1.cast(places, tf.float32)


@frozen(x=(0, 255))
def resized(v1: Any) -> Any:
    """Resize up and down by all three ways of that time to place pixels."""
    x = image(v1, 6)
    return v1.stack(
        [
            v1.image.resize_bilinear(x, [9, 9]),
            v1.image.resize_bilinear(x, [9, 9], align_corners=True),
            v1.image.resize_bilinear(x, [9, 9], half_pixel_centers=True),
            v1.image.resize_nearest_neighbor(x, [9, 9]),
            v1.image.resize_nearest_neighbor(x, [9, 9], align_corners=True),
            v1.image.resize_nearest_neighbor(x, [9, 9], half_pixel_centers=True),
            v1.image.resize_bilinear(v1.image.resize_bilinear(x, [4, 4]), [9, 9]),
            v1.image.resize_bicubic(x, [9, 9]),
            v1.image.resize_area(x, [9, 9]),
        ]
    )


@frozen(x=(-2, 2))
def fake_quantized(v1: Any) -> Any:
    """Quantize activations and weights as tf.contrib.quantize did."""
    x = v1.quantization.fake_quant_with_min_max_args(row(v1), -1.5, 1.5)
    kernel = v1.quantization.fake_quant_with_min_max_vars(
        v1.constant(weights(4, 3)), -1.0, 1.0, narrow_range=True
    )
    x = v1.nn.relu6(v1.matmul(x, kernel))
    return v1.quantization.fake_quant_with_min_max_vars(x, 0.0, 6.0)


@frozen(x=(-2, 2))
def quantized_and_back(v1: Any) -> Any:
    """Round to eight bits by the tensor's own range, or by a given range."""
    x = row(v1)
    told = tf.raw_ops.QuantizeAndDequantizeV2(
        input=x, input_min=-1.0, input_max=1.0, range_given=True
    )
    unsigned = tf.raw_ops.QuantizeAndDequantizeV2(
        input=v1.abs(x),
        input_min=0.0,
        input_max=2.0,
        signed_input=False,
        range_given=True,
    )
    few = tf.raw_ops.QuantizeAndDequantizeV3(
        input=x, input_min=-2.0, input_max=2.0, num_bits=4, range_given=True
    )
    return v1.concat([told, unsigned, few], 1)


@frozen(x=(-1, 1))
def crops(v1: Any) -> Any:
    """Cut parts of pictures at one size, as region pooling did."""
    x = image(v1, 6)
    count = v1.shape(x)[0]
    box = v1.tile([[0.1, 0.0, 0.9, 0.7]], [count, 1])
    return v1.image.crop_and_resize(x, box, v1.range(count), [3, 4])


@frozen(x=(-1, 1))
def rows_and_columns(v1: Any) -> Any:
    """Use the old names of operators that have other names now."""
    x = row(v1)
    first, second = tf.raw_ops.Split(axis=1, value=x, num_split=2)
    joined = tf.raw_ops.Concat(concat_dim=1, values=[second, first])
    picked = tf.raw_ops.Gather(params=v1.constant(weights(4, 2)), indices=[2, 0, 3])
    chosen = tf.raw_ops.Select(condition=x > 0, x=joined, y=-x)
    order = tf.raw_ops.TopKV2(input=x, k=2)
    padded = tf.raw_ops.Pad(input=chosen, paddings=[[0, 0], [1, 0]])
    scores = v1.matmul(v1.matmul(x, v1.constant(weights(4, 3))), picked)
    places = v1.cast(order.indices, tf.float32)
    return v1.concat([scores, padded, order.values, places], 1)


@frozen(x=(0, 7))
def embedded(v1: Any) -> Any:
    """Look words up by number in a table of two parts."""
    words = v1.placeholder(tf.int32, [None, 5], name="x")
    parts = [v1.constant(weights(4, 3)), v1.constant(weights(4, 3, seed=1))]
    return v1.reduce_mean(v1.nn.embedding_lookup(parts, words), 1)


@frozen(x=(-1, 1))
def guarded(v1: Any) -> Any:
    """Add asserts, checks and prints, which no answer needs."""
    x = row(v1)
    guard = v1.Assert(v1.reduce_all(x < 100), [x])
    with v1.control_dependencies([guard]):
        checked = v1.identity(x)
    return v1.Print(v1.check_numerics(checked, "x"), [x], "x is ") * 2.0


@frozen(x=(-1, 1))
def normalized(v1: Any) -> Any:
    """Normalize by plain operators, and by the moments of the row."""
    x = row(v1)
    mean, variance = v1.nn.moments(x, [1], keep_dims=True)
    own = v1.nn.batch_normalization(x, mean, variance, None, 2.0, 1e-3)
    statistics = [np.float32([0.1, 0.2, 0.3, 0.4]), np.float32([1, 2, 3, 4])]
    learned = v1.nn.batch_normalization(x, *statistics, 0.5, 1.5, 1e-3)
    return v1.concat([own, learned, v1.nn.l2_normalize(x, 1)], 1)


@frozen(x=(-2, 2))
def activations(v1: Any) -> Any:
    """Use all activations of that time."""
    x = row(v1)
    return v1.concat(
        [
            v1.nn.relu(x),
            v1.nn.relu6(x),
            v1.nn.elu(x),
            v1.nn.selu(x),
            v1.nn.softplus(x),
            v1.nn.softsign(x),
            v1.nn.leaky_relu(x),
            v1.nn.crelu(x),
            v1.nn.swish(x),
            v1.nn.log_softmax(x),
            v1.sigmoid(x),
            v1.erf(x),
            v1.maximum(x, 0.1 * x),
            v1.clip_by_value(x, -1, 1),
        ],
        1,
    )


@frozen(x=(0, 1))
def scalars(v1: Any) -> Any:
    """Return an answer without axes."""
    return v1.reduce_mean(v1.square(row(v1)))
