"""The tolerance that a model's own precision needs."""

from __future__ import annotations

from bundle.tolerance import BRAIN, HALF, SINGLE, Tolerance
from runtime.backends.saved_model import Signature


def tolerance_of(signature: Signature) -> Tolerance:
    """The tolerance for the least precise numbers that a model computes with.

    Args:
        signature: its ``call`` is a concrete function, as in loaded models.
    """
    # This import stands here, because the proof itself needs no TensorFlow.
    import tensorflow as tf

    definition = signature.call.graph.as_graph_def()  # type: ignore[attr-defined]
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    types = {value.type for node in nodes for value in node.attr.values()}
    if tf.bfloat16.as_datatype_enum in types:
        return BRAIN
    return HALF if tf.float16.as_datatype_enum in types else SINGLE
