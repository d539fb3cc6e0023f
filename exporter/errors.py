"""Why a model got no ONNX."""

from __future__ import annotations

from bundle.errors import DomainError
from bundle.parity import Parity


class ExportError(DomainError):
    """The model cannot be converted; TensorFlow alone can serve it."""


class ParityFailed(ExportError):
    """The ONNX answers otherwise than TensorFlow.

    Args:
        parity: the numbers.
    """

    def __init__(self, parity: Parity) -> None:
        super().__init__(
            f"model.onnx answers otherwise than TensorFlow: largest difference"
            f" {parity.max_abs_diff:.3g} (allowed: {parity.atol:g} + {parity.rtol:g}"
            f" of the value), same best class {parity.top1_agreement:.2%};"
            " no model.onnx was left"
        )
        self.parity = parity
