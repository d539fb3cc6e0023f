"""``CTCGreedyDecoder``: tf2onnx 1.17 merges equal classes with a blank between them.

It also takes the last class for the blank, even if another class is the blank.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.registry import lowering


@lowering("CTCGreedyDecoder")
def lower_greedy(
    operation: tf.Operation, inputs: tf.Tensor, lengths: tf.Tensor
) -> list[tf.Tensor]:
    """The best class of each step, once for equal neighbours, without blanks.

    Args:
        operation: has ``merge_repeated`` and ``blank_index``.
        inputs: logits ``(T, N, C)``.
        lengths: the number of steps of each item, ``(N,)`` int32.

    Returns:
        The places ``(K, 2)``, values ``(K,)`` and shape of a sparse ``(N, .)``, all
        int64, and the negative sums of the best logits, ``(N, 1)``.
    """
    blank = operation.get_attr("blank_index")
    classes = tf.shape(inputs, tf.int64)[2]
    blank = blank if blank >= 0 else classes + blank
    best = tf.transpose(tf.argmax(inputs, axis=2))  # (N, T)
    steps = tf.range(tf.shape(best)[1])
    counts = steps < lengths[:, tf.newaxis]
    is_kept = tf.logical_and(counts, tf.not_equal(best, blank))
    if operation.get_attr("merge_repeated"):
        before = tf.concat([tf.zeros_like(best[:, :1]) - 1, best[:, :-1]], axis=1)
        is_kept = tf.logical_and(is_kept, tf.not_equal(best, before))
    kept = tf.cast(is_kept, tf.int64)
    rank = tf.cumsum(kept, axis=1, exclusive=True)
    found = tf.where(is_kept)
    values = tf.gather_nd(best, found)
    places = tf.stack([found[:, 0], tf.gather_nd(rank, found)], axis=1)
    longest = tf.reduce_max(tf.reduce_sum(kept, axis=1))
    shape = tf.stack([tf.shape(best, tf.int64)[0], longest])
    scores = tf.transpose(tf.reduce_max(inputs, axis=2))
    scores = tf.where(counts, scores, tf.zeros_like(scores))
    return [places, values, shape, -tf.reduce_sum(scores, axis=1, keepdims=True)]
