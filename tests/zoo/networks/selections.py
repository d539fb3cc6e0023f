"""Pick, sort, count and scatter numbers."""

from __future__ import annotations

import keras
import tensorflow as tf

from tests.zoo.networks.built import network, of_tensors

INT = {"shape": (3,), "dtype": "int32"}


@network(place=(0, 3))
def gathered() -> keras.Model:
    """Gather by places: along an axis, per row, and by coordinates."""

    def run(x: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.gather(x, place, axis=1, batch_dims=1),
            tf.gather(x, [2, 0], axis=1),
            tf.gather_nd(x, place[..., tf.newaxis], batch_dims=1),
            tf.gather_nd(x[0], tf.stack([place, place], axis=-1)),
            tf.gather(tf.constant([1.5, 2.5, 3.5, 4.5]), place),
            tf.nn.embedding_lookup(tf.reshape(tf.range(8.0), [4, 2]), place),
        )

    return of_tensors(run, x=(4, 5), place=INT)


@network()
def sorted_rows() -> keras.Model:
    """Return the best, the order, the place in an order, and the median."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        values, places = tf.math.top_k(x, 3)
        return (
            values,
            places,
            tf.sort(x, axis=-1),
            tf.argsort(x, axis=-1, direction="DESCENDING"),
            tf.sort(x, axis=1, direction="DESCENDING"),
            tf.argmin(x, axis=-1),
            tf.cast(tf.math.in_top_k([0] * 1, x[0, :1], 2), tf.float32),
            tf.searchsorted(tf.constant([-1.0, 0.0, 1.0]), x[0, 0]),
        )

    return of_tensors(run, x=(3, 6))


@network(place=(0, 3), x=(-1, 1))
def scattered() -> keras.Model:
    """Scatter into zeros and into a tensor, also by the greatest."""

    def run(x: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, ...]:
        where = place[0][:, tf.newaxis]
        return (
            tf.scatter_nd(where, x[0], [4, 2]),
            tf.tensor_scatter_nd_add(tf.ones([4, 2]), where, x[0]),
            tf.tensor_scatter_nd_max(tf.zeros([4, 2]), where, x[0]),
            tf.tensor_scatter_nd_min(tf.zeros([4, 2]), where, x[0]),
            tf.tensor_scatter_nd_sub(tf.zeros([4, 2]), where, x[0]),
            tf.tensor_scatter_nd_update(tf.ones([4, 2]), [[1], [3]], x[0, :2]),
        )

    return of_tensors(run, x=(3, 2), place=INT)


@network(kind=(0, 3))
def hot() -> keras.Model:
    """Use one-hot with other values and along another axis; choose by a truth."""

    def run(x: tf.Tensor, kind: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.one_hot(kind, 4),
            tf.one_hot(kind, 4, on_value=2.0, off_value=-1.0, axis=1),
            tf.one_hot(kind, 3, dtype=tf.int32),
            tf.one_hot(
                tf.cast(kind, tf.int64) - 1,
                4,
                dtype=tf.bool,
                on_value=True,
                off_value=False,
            ),
            tf.where(x > 0, x, tf.exp(x)),
            tf.where(kind > 1, 1.0, 0.0),
            tf.where(tf.math.is_nan(tf.math.log(x)), 0.0, x),
        )

    return of_tensors(run, x=(3,), kind=INT)


@network(part=(0, 2))
def segments() -> keras.Model:
    """Take sums, means and maxima of parts, as graph networks pool."""

    def run(x: tf.Tensor, part: tf.Tensor) -> tuple[tf.Tensor, ...]:
        of, row = part[0], x[0]
        ordered = tf.constant([0, 0, 2])
        return (
            tf.math.unsorted_segment_sum(row, of, 3),
            tf.math.unsorted_segment_mean(row, of, 3),
            tf.math.unsorted_segment_max(row, tf.constant([0, 1, 1]), 2),
            tf.math.unsorted_segment_prod(row, of, 3),
            tf.math.segment_sum(row, ordered),
            tf.math.segment_mean(row, ordered),
            tf.math.segment_max(row, tf.constant([0, 1, 1])),
            tf.math.bincount(of, minlength=3, maxlength=3),
        )

    return of_tensors(run, x=(3, 2), part=INT)


@network(x=(0, 3))
def without_shape() -> keras.Model:
    """Return as many rows as the data says."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        flat = tf.reshape(x, [-1])
        values, places = tf.unique(flat)
        return (
            tf.where(x > 1),
            tf.boolean_mask(flat, flat > 1),
            tf.reduce_sum(tf.boolean_mask(tf.cast(x, tf.float32), x[:, 0] > 1)),
            values,
            places,
            tf.math.count_nonzero(x, axis=1),
        )

    return of_tensors(run, x=INT)


@network(boxes=(0, 1), scores=(0, 1))
def kept_boxes() -> keras.Model:
    """Suppress the boxes of one picture that are no maxima, hard and padded."""

    def run(boxes: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, ...]:
        low, size = tf.split(boxes[0], 2, axis=-1)
        corners = tf.concat([low, low + size], axis=-1)
        kept = tf.image.non_max_suppression(corners, scores[0], 4, 0.4, 0.2)
        padded, valid = tf.image.non_max_suppression_padded(
            corners, scores[0], 4, 0.4, 0.2, pad_to_max_output_size=True
        )
        return kept, tf.gather(corners, kept), padded, valid

    return of_tensors(run, boxes=(6, 4), scores=(6,))


@network(boxes=(0, 1), scores=(0, 1))
def kept_boxes_of_each_class() -> keras.Model:
    """Suppress boxes of a batch in a combined way."""

    def run(boxes: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, ...]:
        low, size = tf.split(boxes, 2, axis=-1)
        corners = tf.concat([low, low + size], axis=-1)[:, :, tf.newaxis]
        kept = tf.image.combined_non_max_suppression(
            corners, scores, 3, 5, 0.4, 0.2, clip_boxes=False
        )
        return tuple(kept)

    return of_tensors(run, boxes=(6, 4), scores=(6, 2))


@network()
def cumulated() -> keras.Model:
    """Cumulate along an axis, from both ends, inclusive or not."""
    return of_tensors(
        lambda x: (
            tf.cumsum(x, axis=1),
            tf.cumsum(x, axis=1, exclusive=True, reverse=True),
            tf.math.cumprod(x, axis=1),
            tf.math.cumprod(x, axis=2, exclusive=True),
            tf.math.cumulative_logsumexp(x, axis=1),
        ),
        x=(4, 3),
    )
