"""The reasons why a model has no ONNX.

* DomainError          bundle/errors.py
  x SourceError        the given file or folder is no model, or its kind is not clear
  x OutputError        a file lies in the place of the ONNX and must not be replaced
  x NoOnnx             there is no ONNX to look at
  * ExportError        the model cannot be converted; TensorFlow alone can serve it
    x DrawsNumbers     the model gives another answer each time
    x ParityFailed     the ONNX answers differently from TensorFlow
    x NotDrawn         TensorFlow accepts none of the inputs that were tried
    x VariantRefused   the ONNX was published, but a variant of it was not
    * WorkFailed       the work crashed, or a disk refused it, before it could tell
      x TimeLimitReached    the work took longer than it may
      x MemoryLimitReached  the work took more memory than it may
"""

from __future__ import annotations

from collections.abc import Sequence

from bundle.errors import DomainError
from bundle.parity import Parity


def first_line(ex: Exception) -> str:
    """The first line of another library's error, as part of a sentence."""
    return (str(ex).strip() or type(ex).__name__).splitlines()[0][:300]


class SourceError(DomainError):
    """The given file or folder is no model that the exporter can convert."""


class OutputError(DomainError):
    """A file lies in the place of the ONNX, and must not be replaced."""


class NoOnnx(DomainError):
    """There is no ONNX to verify, time or inspect."""


class ExportError(DomainError):
    """The model cannot be converted; TensorFlow alone can serve it."""


class DrawsNumbers(ExportError):
    """The model gives another answer each time it gets the same input."""


class ParityFailed(ExportError):
    """The ONNX answers differently from TensorFlow.

    Args:
        parity: the numbers of the comparison.
    """

    def __init__(self, parity: Parity) -> None:
        super().__init__(
            f"model.onnx answers otherwise than TensorFlow: {describe(parity)};"
            " no model.onnx was left"
        )
        self.parity = parity


class NotDrawn(ExportError):
    """TensorFlow accepts none of the inputs that were tried for the comparison."""


class VariantRefused(ExportError):
    """model.onnx was published, but a variant that was asked for was not.

    Args:
        parity: the proof of model.onnx.
        refusals: one sentence for each refused variant.
    """

    def __init__(self, parity: Parity, refusals: Sequence[str]) -> None:
        super().__init__(f"{'; '.join(refusals)}; model.onnx was written")
        self.parity = parity


class WorkFailed(ExportError):
    """The work crashed or was stopped, so the model may be convertible or not."""


class TimeLimitReached(WorkFailed):
    """The work took longer than it may, and was ended."""


class MemoryLimitReached(WorkFailed):
    """The work took more memory than it may, and was ended."""


def describe(parity: Parity) -> str:
    """Say in part of a sentence how far, and where most, the answers differ."""
    said = (
        f"largest difference {parity.max_abs_diff:.3g} (allowed: {parity.atol:g} +"
        f" {parity.rtol:g} of the value), {parity.share_of_spread:.2%} of the spread of"
        f" the answers, same best class {parity.top1_agreement:.2%}"
    )
    if parity.max_logit_diff:
        said += f", logarithms of probabilities {parity.max_logit_diff:.3g}"
    if not parity.is_repeatable:
        said += ", and another answer when it was asked again"
    if worst := parity.worst:
        place = ", ".join(map(str, worst.element))
        said += (
            f"; worst at {worst.output}[{place}] of batch {worst.batch} of"
            f" {worst.inputs!r} at batch size {worst.batch_size}: {worst.answered:.9g}"
            f" in place of {worst.expected:.9g}"
        )
    return said
