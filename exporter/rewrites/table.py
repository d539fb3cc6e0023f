"""``LookupTableFindV2``: Keras's IntegerLookup and StringLookup.

tf2onnx looks for tables in a whole SavedModel, and not in a function. Here the table is
a constant, and each number is compared with all keys of the table. Texts become a
LabelEncoder (``label_encoder.py``).
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.label_encoder import find_texts
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
        keys: ``(N,)`` of a whole dtype or texts, the keys of the table.
        values: ``(N,)`` of any dtype, the values of the table.
        wanted: the keys to find, of any shape.
        default: the value for a key that is not in the table, a scalar.
    """
    if tf.string in (keys.dtype, values.dtype):
        return find_texts(keys, values, wanted, default)
    if not keys.shape[0]:
        return tf.fill(tf.shape(wanted), default)
    equal = tf.equal(wanted[..., tf.newaxis], keys)
    found = tf.gather(values, tf.argmax(tf.cast(equal, tf.int32), axis=-1))
    return tf.where(tf.reduce_any(equal, axis=-1), found, default)
