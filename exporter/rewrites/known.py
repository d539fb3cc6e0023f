"""Find tensors that are constant for every input of the model; for other rewrites."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from numpy.typing import NDArray


def value_of(tensor: tf.Tensor) -> NDArray[Any] | None:
    """The constant value of a tensor in its own shape and dtype; None if it has none.

    ``tf.get_static_value`` knows few operators, and not the sums and remainders by
    which a gradient counts its axes. Without these values, onnxslim reads the earlier
    content of places that are written twice.
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
        value: NDArray[Any] = session.run(tensor)
        return value


_OF_SHAPES = frozenset({"Rank", "Shape", "ShapeN", "Size", "VariableShape"})


def is_of_shapes(tensor: tf.Tensor) -> bool:
    """Whether a tensor follows only from constants and the shapes of others."""
    waiting, seen = [tensor.op], {tensor.op}
    while waiting:
        operation = waiting.pop()
        if operation.type in _OF_SHAPES:
            continue
        if operation.type == "Placeholder":
            return False
        fresh = {given.op for given in operation.inputs} - seen
        seen |= fresh
        waiting += fresh
    return True
