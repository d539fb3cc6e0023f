"""The results of one model of the zoo."""

from __future__ import annotations

from dataclasses import dataclass

# The model was converted, and answers as TensorFlow does.
PROVED = "proved"
# The model was converted, and answers differently.
WRONG = "wrong"
# The converter reported success, but ONNX Runtime cannot load or run the result.
BROKEN = "broken"
# The model was not converted, and there is a reason.
REFUSED = "refused"
# The attempt ended its process, or took too long.
CRASHED = "crashed"


@dataclass(frozen=True)
class Attempt:
    """One converter's attempt at a model.

    Attributes:
        verdict: one of the words above.
        reason: a sentence; empty if the model is proved.
        max_abs_diff: the largest ``|onnx - tensorflow|``; None if not compared.
        tensorflow_ms: TensorFlow's median time for one item.
        onnxruntime_ms: ONNX Runtime's median time for one item.
        size_bytes: the size of the ONNX.
    """

    verdict: str
    reason: str = ""
    max_abs_diff: float | None = None
    tensorflow_ms: float | None = None
    onnxruntime_ms: float | None = None
    size_bytes: int | None = None

    @property
    def speed_up(self) -> float | None:
        """TensorFlow's time divided by ONNX Runtime's; None if not measured."""
        if self.tensorflow_ms is None or not self.onnxruntime_ms:
            return None
        return self.tensorflow_ms / self.onnxruntime_ms


@dataclass(frozen=True)
class Row:
    """A model, and both attempts at it.

    Attributes:
        name: the specimen's name.
        refused: a piece of the sentence with which it must be refused; empty if it must
            convert.
        ours: the attempt of ``exporter convert``.
        alone: the attempt of tf2onnx without the exporter.
    """

    name: str
    refused: str
    ours: Attempt
    alone: Attempt

    @property
    def is_as_it_should_be(self) -> bool:
        """Tell whether it is proved, or is refused if it must be refused."""
        if self.refused:
            return self.ours.verdict == REFUSED and self.refused in self.ours.reason
        return self.ours.verdict == PROVED
