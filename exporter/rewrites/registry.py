"""Where rewrites enter themselves; ``exporter.rewrites`` says which there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Takes the operation (for its attributes, and its outputs' names, dtypes and shapes)
# and its inputs in the new graph; gives as many tensors as the operation has outputs,
# or None to leave it as it is.
Lowering = Callable[..., Any]
# A tf2onnx handler: ``handle(graph, node, **_)``, with tf2onnx's Graph and Node.
Handler = Callable[..., None]

LOWERINGS: dict[str, Lowering] = {}
HANDLERS: dict[str, Handler] = {}


def lowering(*operators: str) -> Callable[[Lowering], Lowering]:
    """Enter a function that says an operator of TensorFlow by others of TensorFlow.

    It runs while the new graph is built: what it calls of ``tf`` lands there. What it
    leaves that has a lowering of its own is lowered in turn.
    """

    def enter(function: Lowering) -> Lowering:
        for operator in operators:
            if operator in LOWERINGS:
                raise ValueError(f"{operator} has two lowerings")
            LOWERINGS[operator] = function
        return function

    return enter


def handler(*operators: str) -> Callable[[Handler], Handler]:
    """Enter a function that says an operator of TensorFlow by operators of ONNX.

    For what TensorFlow has no simpler operators and ONNX has one; it replaces
    tf2onnx's own handler, if there is one.
    """

    def enter(function: Handler) -> Handler:
        for operator in operators:
            if operator in HANDLERS:
                raise ValueError(f"{operator} has two handlers")
            HANDLERS[operator] = function
        return function

    return enter
