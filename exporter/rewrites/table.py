"""``LookupTableFindV2`` of numbers: Keras's IntegerLookup.

tf2onnx finds tables by walking a whole SavedModel, and not those of a function. The
table is a constant here, so finding a key is comparing with all of them.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("LookupTableFindV2")
def lower_find(
    operation: tf.Operation,
    keys: tf.Tensor,
    values: tf.Tensor,
    wanted: tf.Tensor,
    default: tf.Tensor,
) -> tf.Tensor:
    """The value of each key.

    Args:
        operation: the lookup.
        keys: ``(N,)`` of the table.
        values: ``(N,)`` of the table.
        wanted: any shape.
        default: of a key that is not in the table.
    """
    if not keys.shape[0]:
        return tf.fill(tf.shape(wanted), default)
    equal = tf.equal(wanted[..., tf.newaxis], keys)
    found = tf.gather(values, tf.argmax(tf.cast(equal, tf.int32), axis=-1))
    return tf.where(tf.reduce_any(equal, axis=-1), found, default)
