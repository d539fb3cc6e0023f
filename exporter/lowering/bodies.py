"""The graphs of functions that operators name: what a call, a loop or a branch runs."""

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
    """The graph of a function that another one names."""
    definition = _definition(graph, name)
    known = [tensor.shape for tensor in inputs] or list(shapes)
    with graph.as_default():
        try:
            return function_def_to_graph.function_def_to_graph(definition, known)
        except ValueError:
            # The caller's shapes are not those that the function was made for.
            return function_def_to_graph.function_def_to_graph(definition)


def _definition(graph: tf.Graph, name: str) -> Any:
    function = graph._get_function(name)
    if function is None:
        # What a SavedModel's functions call is known to the process, not to them.
        return context.context().get_function_def(name)
    return getattr(function, "cached_definition", None) or function.definition


def scope(name: str) -> Any:
    """Under this very name, wherever one is: old names begin with their layers."""
    return tf.name_scope(f"{name}/" if name else "")
