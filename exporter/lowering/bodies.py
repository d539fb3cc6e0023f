"""Find the functions that operators name: the bodies of calls, loops and branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import function_def_to_graph


def body_of(
    graph: tf.Graph,
    name: str,
    inputs: Sequence[tf.Tensor] = (),
    shapes: Sequence[tf.TensorShape] = (),
) -> Any:
    """The graph of a function that an operator of another graph names."""
    definition = _definition(graph, name)
    known = [tensor.shape for tensor in inputs] or list(shapes)
    with graph.as_default():
        try:
            return function_def_to_graph.function_def_to_graph(definition, known)
        except ValueError:
            # The caller's shapes are not the shapes that the function was made for.
            return function_def_to_graph.function_def_to_graph(definition)


def _definition(graph: tf.Graph, name: str) -> Any:
    function = graph._get_function(name)
    if function is None:
        # The functions that a SavedModel's functions call are registered in the
        # process, and not in the graph.
        return context.context().get_function_def(name)
    return getattr(function, "cached_definition", None) or function.definition


def scope(name: str) -> Any:
    """A scope of exactly this name: a node's old name begins with its layer's."""
    return tf.name_scope(f"{name}/" if name else "")
