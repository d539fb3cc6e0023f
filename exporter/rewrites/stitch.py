"""``DynamicStitch``: gradients of sums put shapes together with it, and people, rows.

tf2onnx has no handler. Where several rows go to one place, the last one is it.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from exporter.rewrites.registry import lowering


@lowering("DynamicStitch", "ParallelDynamicStitch")
def lower_stitch(operation: tf.Operation, *given: tf.Tensor) -> tf.Tensor:
    """Put rows where their indices say.

    Args:
        operation: the stitch.
        given: N indices, of any shape, then N times ``indices.shape + row``.
    """
    half = len(given) // 2
    indices = tf.concat([tf.reshape(places, [-1]) for places in given[:half]], axis=0)
    row = tf.shape(given[half])[tf.rank(given[0]) :]
    rows = tf.concat(
        [tf.reshape(data, tf.concat([[-1], row], axis=0)) for data in given[half:]],
        axis=0,
    )
    places = _value_of(indices)
    if places is None:
        size = tf.concat([[tf.reduce_max(indices) + 1], row], axis=0)
        return tf.scatter_nd(indices[:, tf.newaxis], rows, size)
    chosen = np.zeros(places.max(initial=-1) + 1, np.int32)
    for row_number, place in enumerate(places):
        chosen[place] = row_number
    return tf.gather(rows, chosen)


def _value_of(tensor: tf.Tensor) -> NDArray[np.int32] | None:
    """What a tensor always is; None if that depends on something.

    ``tf.get_static_value`` knows few operators, and not the sums and remainders by
    which a gradient counts its axes. Told too little, onnxslim takes the places that
    are written twice for what was there first.
    """
    waiting, seen = [tensor.op], {tensor.op}
    while waiting:
        operation = waiting.pop()
        if operation.type == "Placeholder":
            return None
        fresh = {given.op for given in operation.inputs} - seen
        seen |= fresh
        waiting += fresh
    with tf.compat.v1.Session(graph=tensor.graph) as session:
        value: NDArray[np.int32] = session.run(tensor)
        return value
