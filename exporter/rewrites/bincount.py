"""``DenseBincount`` and ``Bincount`` with weights: Keras's weighted encodings.

tf2onnx 1.17 counts, and does not add up (its ``Bincount``: "Non-empty weights not yet
supported"; tensorflow-onnx issue 1400). A number is compared with every bin, which
takes as many flags as there are numbers times bins. Of a matrix ``Bincount`` is given
the list of its numbers: tf2onnx takes its rows apart, and writes what is no ONNX.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("DenseBincount", "Bincount")
def lower_bincount(
    operation: tf.Operation, numbers: tf.Tensor, size: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor | None:
    """The sum of the weights of each number.

    Args:
        operation: ``Bincount`` takes numbers of any shape as one list.
        numbers: ``(M,)``, or ``(N, M)``, whose rows are summed apart. Numbers that are
            not below ``size`` are left out.
        size: of the answer's last axis; a scalar.
        weights: shaped as the numbers, or empty.
    """
    if weights.shape.rank is None:
        return None
    is_weighted = weights.shape.num_elements() != 0
    if operation.type == "Bincount":
        if not is_weighted and numbers.shape.rank == 1:
            return None
        numbers = tf.reshape(numbers, [-1])
        if not is_weighted:
            return tf.raw_ops.Bincount(arr=numbers, size=size, weights=weights)
        weights = tf.reshape(weights, [-1])
    elif not is_weighted:
        return None
    elif operation.get_attr("binary_output"):
        # Whether a number occurs, whatever it weighs.
        none = tf.zeros([0], weights.dtype)
        return tf.raw_ops.DenseBincount(
            input=numbers, size=size, weights=none, binary_output=True
        )
    bins = tf.range(tf.reshape(tf.cast(size, numbers.dtype), []))
    is_in = tf.equal(numbers[..., tf.newaxis], bins)  # (N, M, size)
    return tf.reduce_sum(
        tf.cast(is_in, weights.dtype) * weights[..., tf.newaxis], axis=-2
    )
