"""Two ``Reshape`` in a row that tf2onnx may not make one.

A 0 in a shape is the side that what is reshaped has there. tf2onnx 1.17 writes it where
a shape was computed of that side, then leaves out the ``Reshape`` before, and so the 0
is another tensor's side: attention that splits its heads after a dense layer breaks.
"""

from __future__ import annotations

from typing import Any

from tf2onnx.optimizer import back_to_back_optimizer

_RESHAPE = ("Reshape",)
_join = back_to_back_optimizer._func_map[_RESHAPE]


def _join_unless_copied(graph: Any, node: Any, consumers: Any) -> Any:
    """Leave both where the second one's shape has a 0, which no computed one has."""
    for consumer in consumers:
        if consumer.type == "Reshape":
            shape = consumer.inputs[1]
            if shape.is_const() and 0 in shape.get_tensor_value():
                return []
    return _join(graph, node, consumers)


def keep_reshapes_that_copy() -> None:
    """Have tf2onnx do so, in this process."""
    back_to_back_optimizer._func_map[_RESHAPE] = _join_unless_copied
