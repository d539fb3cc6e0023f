"""What nodes of TensorFlow 1 keep from run to run: variables and lookup tables.

In TensorFlow 2 a function takes them from outside. In a SavedModel of TensorFlow 1 they
are nodes of it, and what they hold is known to TensorFlow by their names alone.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager import context

from exporter.errors import ExportError

VARIABLES = ("Variable", "VariableV2")
TABLES = ("HashTableV2", "MutableHashTableV2", "MutableDenseHashTableV2")


def value_of(variable: tf.Operation) -> NDArray[Any]:
    """What a variable holds.

    Raises:
        ExportError: it was never given a value.
    """
    try:
        held: NDArray[Any] = _output_of(variable).numpy()
    except tf.errors.OpError as ex:
        raise ExportError(f"the variable {variable.name!r} has no value") from ex
    return held


def handle_of(table: tf.Operation) -> tf.Tensor:
    """A table's handle, by which it can be read."""
    return _output_of(table)


def _output_of(operation: tf.Operation) -> tf.Tensor:
    """Run a node of this name and these attributes, which is the very node."""

    def once_more() -> tf.Tensor:
        node = tf.compat.v1.get_default_graph().create_op(
            operation.type,
            [],
            [operation.outputs[0].dtype],
            attrs=dict(operation.node_def.attr),
            name=operation.name,
        )
        return tf.identity(node.outputs[0])

    with context.eager_mode():
        return tf.compat.v1.wrap_function(once_more, [])()
