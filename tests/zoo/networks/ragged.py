"""Models have rows of different lengths inside, and dense tensors at their ends."""

from __future__ import annotations

import keras
import tensorflow as tf

from tests.zoo.networks.built import network, of_tensors


@network(length=(0, 5))
def ragged_means() -> keras.Model:
    """Make padded rows ragged, and return the sum and mean of each."""

    def run(x: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, ...]:
        ragged = tf.RaggedTensor.from_tensor(x, lengths=length)
        return (
            tf.reduce_sum(ragged, axis=1),
            tf.reduce_mean(ragged, axis=1),
            ragged.to_tensor(-1.0, shape=[None, 5, 2]),
        )

    return of_tensors(run, x=(5, 2), length={"shape": (), "dtype": "int32"})


@network(x=(0, 4))
def sparse_product() -> keras.Model:
    """Make a dense row sparse, and multiply it by a matrix."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        sparse = tf.sparse.from_dense(x)
        weights = tf.reshape(tf.range(8.0), [4, 2])
        return (
            tf.sparse.sparse_dense_matmul(sparse, weights),
            tf.sparse.to_dense(sparse, -1.0),
            tf.ensure_shape(tf.sparse.reduce_sum(sparse, axis=1), [None]),
        )

    return of_tensors(run, x=(4,))
