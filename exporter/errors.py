"""Why a model got no ONNX.

* DomainError          bundle/errors.py
  x SourceError        what was given is no model, or not one that can be told apart
  x OutputError        what lies where the ONNX would go is not to be replaced
  x NoOnnx             there is no ONNX to look at
  * ExportError        the model cannot be converted; TensorFlow alone can serve it
    x ParityFailed     the ONNX answers otherwise than TensorFlow
"""

from __future__ import annotations

from bundle.errors import DomainError
from bundle.parity import Parity


class SourceError(DomainError):
    """What was given is no model that the exporter takes."""


class OutputError(DomainError):
    """What lies where the ONNX would go is not to be replaced."""


class NoOnnx(DomainError):
    """There is no ONNX to verify, time or inspect."""


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
