"""Products, sums and softmaxes of sparse tensors; ONNX Runtime has no kernels.

The tensors are made dense in between, because only the shape is known at conversion,
and not how few numbers there are.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter.rewrites.registry import lowering


def _dense(
    indices: tf.Tensor, values: tf.Tensor, shape: tf.Tensor, nothing: float = 0
) -> tf.Tensor:
    zeros = tf.fill(shape, tf.constant(nothing, values.dtype))
    return tf.tensor_scatter_nd_update(zeros, indices, values)


@lowering("SparseTensorDenseMatMul")
def lower_product(
    operation: tf.Operation,
    indices: tf.Tensor,
    values: tf.Tensor,
    shape: tf.Tensor,
    dense: tf.Tensor,
) -> tf.Tensor:
    """Multiply a sparse matrix by a dense one; each may be transposed first."""
    return tf.matmul(
        _dense(indices, values, shape),
        dense,
        transpose_a=operation.get_attr("adjoint_a"),
        transpose_b=operation.get_attr("adjoint_b"),
    )


@lowering("SparseReduceSum")
def lower_sum(
    operation: tf.Operation,
    indices: tf.Tensor,
    values: tf.Tensor,
    shape: tf.Tensor,
    axes: tf.Tensor,
) -> tf.Tensor:
    """Sum a sparse tensor along axes."""
    keep = operation.get_attr("keep_dims")
    return tf.reduce_sum(_dense(indices, values, shape), axes, keep)


@lowering("SparseSoftmax")
def lower_softmax(
    operation: tf.Operation, indices: tf.Tensor, values: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor:
    """Apply softmax to the numbers that each row has."""
    rows = tf.nn.softmax(_dense(indices, values, shape, -np.inf), axis=-1)
    return tf.gather_nd(rows, indices)
