"""Freeze a model's variables and lookup tables.

A variable is replaced by its value. A table stays a handle until its content is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager import context

from exporter.errors import ExportError
from exporter.rewrites.label_encoder import WIDER
from exporter.rewrites.pair import Pair


@dataclass(frozen=True)
class Variable:
    """Stands for a variable's handle, and holds the variable's value."""

    tensor: tf.Tensor


@dataclass(frozen=True)
class Resource:
    """Stands for another handle, the one of a lookup table."""

    handle: tf.Tensor


Made: TypeAlias = tf.Tensor | Pair | Variable | Resource


def is_other(made: Made, was: tf.Tensor) -> bool:
    """Whether a tensor was replaced by something else, or by another dtype."""
    return not isinstance(made, tf.Tensor) or made.dtype != was.dtype


def tensor_of(made: Made) -> tf.Tensor:
    """The single tensor that replaces a tensor.

    Raises:
        ExportError: two tensors replace it, as for a complex number, or a table does.
    """
    if isinstance(made, Variable):
        return made.tensor
    if isinstance(made, Pair):
        raise ExportError(
            "the model takes or answers complex numbers, or passes some through a loop,"
            " which ONNX cannot; let it answer their real and imaginary parts"
        )
    if isinstance(made, Resource):
        raise ExportError(
            "the model passes a lookup table into a loop or out of a function, which"
            " cannot be converted"
        )
    return made


def bytes_of(captured: Sequence[tf.Tensor]) -> int:
    """The bytes of everything that a function took from outside, mostly variables."""
    return sum(
        dtype.size * (shape.num_elements() or 0)
        for dtype, shape in (held_by(tensor) for tensor in captured)
    )


def held_by(outer: Any) -> tuple[tf.DType, tf.TensorShape]:
    """The dtype and shape that a captured tensor holds; a table's are unknown."""
    if outer.dtype != tf.resource:
        return outer.dtype, outer.shape
    data = getattr(outer, "_handle_data", None)
    if data is None or not data.is_set or len(data.shape_and_type) != 1:
        return tf.resource, tf.TensorShape([0])
    (held,) = data.shape_and_type
    return tf.as_dtype(held.dtype), tf.TensorShape(held.shape)


def value_of(operation: tf.Operation) -> NDArray[Any]:
    """Read the value of a variable of TensorFlow 1, found by its name.

    Returns:
        The variable's value, in its own shape and dtype.
    """

    def read() -> tf.Tensor:
        return tf.identity(
            tf.raw_ops.VariableV2(
                shape=operation.get_attr("shape"),
                dtype=operation.get_attr("dtype"),
                container=operation.get_attr("container"),
                shared_name=operation.get_attr("shared_name") or operation.name,
            )
        )

    with context.eager_mode():
        value: NDArray[Any] = tf.compat.v1.wrap_function(read, [])().numpy()
        return value


def held_in(operation: tf.Operation) -> NDArray[Any]:
    """Read a variable of TensorFlow 2 that is an operator of the graph.

    A SavedModel has such operators if TensorFlow could not make its objects again.

    Returns:
        The variable's value, in its own shape and dtype.
    """
    with context.eager_mode():
        handle = tf.raw_ops.VarHandleOp(
            shape=operation.get_attr("shape"),
            dtype=operation.get_attr("dtype"),
            container=operation.get_attr("container"),
            shared_name=operation.get_attr("shared_name") or operation.name,
        )
        value: NDArray[Any] = tf.raw_ops.ReadVariableOp(
            resource=handle, dtype=operation.get_attr("dtype")
        ).numpy()
        return value


def table_of(operation: tf.Operation) -> tf.Tensor:
    """The handle of a table of TensorFlow 1, found by its name."""
    make = getattr(tf.raw_ops, operation.type.removesuffix("V2") + "V2")
    with context.eager_mode():
        return make(
            key_dtype=operation.get_attr("key_dtype"),
            value_dtype=operation.get_attr("value_dtype"),
            container=operation.get_attr("container"),
            shared_name=operation.get_attr("shared_name") or operation.name,
            use_node_name_sharing=True,
        )


def read_table(operation: tf.Operation, table: Resource) -> tuple[tf.Tensor, tf.Tensor]:
    """The keys and the values of the table in which ``operation`` looks something up.

    Raises:
        ExportError: ONNX cannot look up texts of this table.
    """
    kinds = operation.get_attr("Tin"), operation.get_attr("Tout")
    if tf.string in kinds and not WIDER.keys() >= set(kinds):
        raise ExportError(
            f"ONNX looks up no {kinds[0].name} that stands for {kinds[1].name}"
            f" ({operation.type} in {operation.name[:120]})"
        )
    with context.eager_mode():
        keys, values = tf.raw_ops.LookupTableExportV2(
            table_handle=table.handle,
            Tkeys=kinds[0],
            Tvalues=kinds[1],
        )
        found = keys.numpy(), values.numpy()
    for array in found:
        _check_texts(operation, array)
    return tf.constant(found[0], kinds[0]), tf.constant(found[1], kinds[1])


def _check_texts(operation: tf.Operation, array: NDArray[Any]) -> None:
    """Refuse texts that ONNX cannot hold."""
    for text in array.tolist() if array.dtype == object else ():
        try:
            text.decode()
        except UnicodeDecodeError as ex:
            raise ExportError(
                f"the table of texts has {text[:40]!r}, which is not UTF-8, as ONNX"
                f" demands ({operation.type} in {operation.name[:120]})"
            ) from ex
