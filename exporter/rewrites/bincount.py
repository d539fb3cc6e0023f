"""``Bincount`` and ``DenseBincount``: Keras's ``bincount``, its weighted encodings.

tf2onnx 1.17 knows the first alone, without weights (tensorflow-onnx issue 1400, pull
request 1401). A number is compared with every bin, which takes as many flags as there
are numbers times bins.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("DenseBincount", "Bincount")
def lower_bincount(
    operation: tf.Operation, numbers: tf.Tensor, size: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor | None:
    """How often each number occurs, or the sum of its weights.

    Args:
        operation: ``Bincount`` counts all numbers, whatever their shape.
        numbers: ``(M,)``, or ``(N, M)``, whose rows are counted apart. Numbers that are
            not below ``size`` are left out.
        size: of the answer's last axis; a scalar.
        weights: shaped as the numbers, or empty.
    """
    is_dense = operation.type == "DenseBincount"
    if numbers.shape.rank is None or weights.shape.rank is None:
        return None
    if not is_dense:
        numbers, weights = tf.reshape(numbers, [-1]), tf.reshape(weights, [-1])
    bins = tf.range(tf.reshape(tf.cast(size, numbers.dtype), []))
    is_in = tf.equal(numbers[..., tf.newaxis], bins)  # (N, M, size)
    dtype = operation.outputs[0].dtype
    if is_dense and operation.get_attr("binary_output"):
        return tf.cast(tf.reduce_any(is_in, axis=-2), dtype)
    ones = tf.cast(is_in, dtype)
    if weights.shape.num_elements() == 0:
        return tf.reduce_sum(ones, axis=-2)
    return tf.reduce_sum(ones * weights[..., tf.newaxis], axis=-2)
