"""The allowed differences between an ONNX and its model, by the model's precision."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.backends.saved_model import Signature


@dataclass(frozen=True)
class Tolerance:
    """The allowed differences between two answers.

    Attributes:
        atol: the absolute difference. If the numbers of an output are greater than 1,
            it is in units of their root mean square.
        rtol: the difference relative to TensorFlow's value.
        spread: the difference relative to the range of TensorFlow's own answers. A
            softmax with random weights answers 0.001 a thousand times; any other model
            could answer that within ``atol``. The small differences between its answers
            must be the same.
        logit: the difference of the logarithms of a probability, absolute, and in
            tenths relative. The logarithm is the logit, except for a constant for each
            row.
    """

    atol: float
    rtol: float
    spread: float
    logit: float


# float32 with another order of additions; the MNIST CNN shows a difference of 6e-8.
SINGLE = Tolerance(1e-5, 1e-4, 0.02, 1e-3)
# Ten bits of mantissa in each step, which the engines round in different places.
HALF = Tolerance(1e-2, 1e-2, 0.1, 0.1)
# Seven bits of mantissa. TensorFlow rounds to them after each step; ONNX Runtime has no
# kernels for them on the CPU, and computes in float32.
BRAIN = Tolerance(5e-2, 5e-2, 0.3, 0.5)


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
