"""How far an ONNX may answer from its model, by the precision that it computes in."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.backends.saved_model import Signature


@dataclass(frozen=True)
class Tolerance:
    """How far apart two answers may be.

    Attributes:
        atol: absolute; where an output's numbers are greater than 1, in units of their
            root mean square.
        rtol: relative to TensorFlow's value.
        spread: relative to how far apart TensorFlow's own answers are. A softmax of
            random weights answers a thousand times 0.001, which any other answers too
            within ``atol``: what sets its answers apart is what must be the same.
        logit: of the logarithm of a probability, absolute and, in tenths, relative;
            it is the logit but for a constant a row.
    """

    atol: float
    rtol: float
    spread: float
    logit: float


# float32 in another order of additions: 6e-8 is what the MNIST CNN shows.
SINGLE = Tolerance(1e-5, 1e-4, 0.02, 1e-3)
# Ten bits of mantissa in each step, which the engines round at other places.
HALF = Tolerance(1e-2, 1e-2, 0.1, 0.1)
# Seven bits; TensorFlow rounds to them after each step, and ONNX Runtime, which has no
# kernels for them on the CPU, computes in float32.
BRAIN = Tolerance(5e-2, 5e-2, 0.3, 0.5)


def tolerance_of(signature: Signature) -> Tolerance:
    """What the least precise numbers allow that a model computes with.

    Args:
        signature: its ``call`` is a concrete function, as loaded models have them.
    """
    # Here: the proof itself needs no TensorFlow.
    import tensorflow as tf

    definition = signature.call.graph.as_graph_def()  # type: ignore[attr-defined]
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    types = {value.type for node in nodes for value in node.attr.values()}
    if tf.bfloat16.as_datatype_enum in types:
        return BRAIN
    return HALF if tf.float16.as_datatype_enum in types else SINGLE
