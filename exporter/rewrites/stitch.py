"""``DynamicStitch``: puts rows together, in gradients of sums and in models.

tf2onnx has no handler. If several rows go to one place, the last one stays.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.known import value_of
from exporter.rewrites.registry import lowering


@lowering("DynamicStitch", "ParallelDynamicStitch")
def lower_stitch(operation: tf.Operation, *given: tf.Tensor) -> tf.Tensor:
    """Put rows where their indices say.

    Args:
        operation: the stitch.
        given: N whole indices of any shape, then N times ``indices.shape + row``.
    """
    half = len(given) // 2
    indices = tf.concat([tf.reshape(places, [-1]) for places in given[:half]], axis=0)
    row = tf.shape(given[half])[tf.rank(given[0]) :]
    rows = tf.concat(
        [tf.reshape(data, tf.concat([[-1], row], axis=0)) for data in given[half:]],
        axis=0,
    )
    places = value_of(indices)
    if places is None:
        size = tf.concat([[tf.reduce_max(indices) + 1], row], axis=0)
        return tf.scatter_nd(indices[:, tf.newaxis], rows, size)
    chosen = np.zeros(places.max(initial=-1) + 1, np.int32)
    for row_number, place in enumerate(places):
        chosen[place] = row_number
    return tf.gather(rows, chosen)
