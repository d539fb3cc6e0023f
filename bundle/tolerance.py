"""The allowed differences between an ONNX and its model, by the model's precision.

The exporter's proof judges by them, and so does the service, which compares some of its
answers later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


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


def proved_tolerance(atol: float, rtol: float) -> Tolerance:
    """Return the tolerance of a proof, of which parity.json notes two numbers.

    Args:
        atol: parity.json's ``atol``.
        rtol: parity.json's ``rtol``.
    """
    for known in (SINGLE, HALF, BRAIN):
        if (known.atol, known.rtol) == (atol, rtol):
            return known
    # Nobody's exporter wrote this file; the rest is judged as float32.
    return replace(SINGLE, atol=atol, rtol=rtol)
