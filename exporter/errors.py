"""Why a model got no ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from bundle.errors import DomainError
from bundle.parity import Parity


def first_line(ex: Exception) -> str:
    """What a foreign error says, as part of a sentence."""
    return (str(ex).strip() or type(ex).__name__).splitlines()[0][:300]


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


class VariantRefused(ExportError):
    """model.onnx was published, and a variant that was asked for was not.

    Args:
        parity: of model.onnx.
        refusals: a sentence each.
    """

    def __init__(self, parity: Parity, refusals: Sequence[str]) -> None:
        super().__init__(f"{'; '.join(refusals)}; model.onnx was written")
        self.parity = parity
