"""``LookupTableFindV2`` of texts: Keras's StringLookup, which becomes a LabelEncoder.

tf2onnx looks for tables in a whole SavedModel, and not in a function. Here the keys and
the values are constants. TensorFlow has no operator that looks texts up in constants,
so a ``PyFunc`` carries them to the handler. A SavedModel has no ``PyFunc`` of its own,
because its function lives in one process of Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from onnx import TensorProto
from tf2onnx import utils

from exporter.rewrites.known import value_of
from exporter.rewrites.registry import handler, lowering

# tf2onnx adds this domain, in version 2, to all models.
_DOMAIN = "ai.onnx.ml"
_CARRIER = "PyFunc"
# LabelEncoder maps these dtypes on each other; smaller numbers are cast.
WIDER = {
    tf.string: tf.string,
    tf.float32: tf.float32,
    tf.int64: tf.int64,
    tf.int32: tf.int64,
    tf.bool: tf.int64,
}
_KINDS = {
    TensorProto.STRING: "string",
    TensorProto.FLOAT: "float",
    TensorProto.INT64: "int64",
}


def find_texts(
    keys: tf.Tensor,
    values: tf.Tensor,
    wanted: tf.Tensor,
    default: tf.Tensor,
) -> tf.Tensor:
    """The value of each key, where the keys or the values are texts.

    Args:
        keys: ``(N,)`` of a dtype of ``WIDER``, the keys of the table.
        values: ``(N,)`` of a dtype of ``WIDER``, the values of the table.
        wanted: the keys to find, of any shape.
        default: the value for a key that is not in the table, a scalar.
    """

    def widened(tensor: tf.Tensor) -> tf.Tensor:
        to = WIDER[tensor.dtype]
        return tensor if tensor.dtype == to else tf.cast(tensor, to)

    if not keys.shape[0]:
        return tf.fill(tf.shape(wanted), default)
    (found,) = tf.raw_ops.PyFunc(
        input=[widened(tensor) for tensor in (wanted, keys, values, default)],
        token="label encoder",
        Tout=[WIDER[values.dtype]],
    )
    # Later operators infer their shapes anew, and find none behind a PyFunc.
    found = tf.ensure_shape(found, wanted.shape)
    return found if found.dtype == values.dtype else tf.cast(found, values.dtype)


@lowering("Equal", "NotEqual")
def lower_equal(
    operation: tf.Operation, first: tf.Tensor, second: tf.Tensor
) -> tf.Tensor | None:
    """Compare texts with one text, by a table of this text: Keras's ``mask_token``.

    tf2onnx casts the texts to numbers before it compares them.

    Args:
        operation: the comparison.
        first: texts of any shape.
        second: texts; one of the two is a constant of one text.
    """
    if first.dtype != tf.string:
        return None
    for texts, other in ((first, second), (second, first)):
        # A longer constant could make the answer larger than the texts.
        if other.shape.rank == 0 and value_of(other) is not None:
            is_same = operation.type == "Equal"
            return find_texts(
                tf.reshape(other, [1]),
                tf.constant([is_same]),
                texts,
                tf.constant(not is_same),
            )
    return None


@handler(_CARRIER)
def handle_find(graph: Any, node: Any) -> None:
    """Write the lookup as a LabelEncoder; one with a computed default stays."""
    keys, values, default = node.inputs[1:]
    if not default.is_const():
        return
    names = [_KINDS[graph.get_dtype(each.output[0])] for each in (keys, values)]
    attributes = {
        f"keys_{names[0]}s": _list(keys),
        f"values_{names[1]}s": _list(values),
        f"default_{names[1]}": _list(default)[0],
    }
    wanted, outputs = node.input[0], node.output
    shapes, dtypes = [graph.get_shape(wanted)], [graph.get_dtype(outputs[0])]
    graph.remove_node(node.name)
    graph.make_node(
        "LabelEncoder",
        [wanted],
        name=utils.make_name(node.name),
        domain=_DOMAIN,
        outputs=outputs,
        shapes=shapes,
        dtypes=dtypes,
        attr=attributes,
    )


def _list(constant: Any) -> list[Any]:
    values: list[Any] = np.ravel(constant.get_tensor_value(as_list=False)).tolist()
    return values
