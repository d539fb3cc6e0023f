"""``DenseBincount`` and ``Bincount`` with weights: Keras's weighted encodings.

tf2onnx 1.17 counts, but does not add weights (its ``Bincount``: "Non-empty weights not
yet supported"; tensorflow-onnx issue 1400). Here each number is compared with every
bin, which takes as many flags as numbers times bins. ``Bincount`` gets a matrix as the
list of its numbers, because tf2onnx writes invalid ONNX for its rows.
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
        numbers: ``(M,)`` of a whole dtype, or ``(N, M)``, whose rows are summed
            separately. Numbers of ``size`` or more are left out.
        size: a whole scalar, the length of the answer's last axis.
        weights: an array of the numbers' shape, or an empty one.
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
        # Only whether a number occurs counts, and not its weight.
        none = tf.zeros([0], weights.dtype)
        return tf.raw_ops.DenseBincount(
            input=numbers, size=size, weights=none, binary_output=True
        )
    bins = tf.range(tf.reshape(tf.cast(size, numbers.dtype), []))
    is_in = tf.equal(numbers[..., tf.newaxis], bins)  # (N, M, size)
    return tf.reduce_sum(
        tf.cast(is_in, weights.dtype) * weights[..., tf.newaxis], axis=-2
    )
