"""The registry of rewrites; importing ``exporter.rewrites`` fills it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# A lowering takes the operation (for its attributes, and the names, dtypes and shapes
# of its outputs) and its inputs in the new graph. It returns as many tensors as the
# operation has outputs, or None to leave the operation as it is. Unless its docstring
# says more, it takes every shape and dtype that TensorFlow's operator takes, and its
# tensors have the shapes and dtypes of the operation's outputs.
Lowering = Callable[..., Any]
# A tf2onnx handler ``handle(graph, node)`` gets tf2onnx's Graph and Node.
Handler = Callable[[Any, Any], None]

LOWERINGS: dict[str, Lowering] = {}
# These lowerings are for operators that take or return complex numbers, each of which
# is an ``exporter.rewrites.pair.Pair``.
COMPLEX: dict[str, Lowering] = {}
HANDLERS: dict[str, Handler] = {}


def lowering(*operators: str) -> Callable[[Lowering], Lowering]:
    """Register a function that writes an operator of TensorFlow with other operators.

    The function runs while the new graph is built, so its calls of ``tf`` add operators
    to it. If one of these has a lowering of its own, it is lowered in turn.
    """

    def enter(function: Lowering) -> Lowering:
        for operator in operators:
            if operator in LOWERINGS:
                raise ValueError(f"{operator} has two lowerings")
            LOWERINGS[operator] = function
        return function

    return enter


def complex_lowering(*operators: str) -> Callable[[Lowering], Lowering]:
    """Register a function that writes an operator on complex numbers with real ones."""

    def enter(function: Lowering) -> Lowering:
        for operator in operators:
            if operator in COMPLEX:
                raise ValueError(f"{operator} has two lowerings of complex numbers")
            COMPLEX[operator] = function
        return function

    return enter


def handler(*operators: str) -> Callable[[Handler], Handler]:
    """Register a function that writes an operator of TensorFlow in operators of ONNX.

    A handler is for operators that TensorFlow cannot write more simply, but ONNX can.
    It replaces tf2onnx's own handler, if there is one.
    """

    def enter(function: Handler) -> Handler:
        for operator in operators:
            if operator in HANDLERS:
                raise ValueError(f"{operator} has two handlers")
            HANDLERS[operator] = function
        return function

    return enter
