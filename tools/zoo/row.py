"""What became of one model of the zoo."""

from __future__ import annotations

from dataclasses import dataclass

# Converted, and answers as TensorFlow does.
PROVED = "proved"
# Converted, and answers otherwise.
WRONG = "wrong"
# Converted, it was said, and ONNX Runtime cannot load or run it.
BROKEN = "broken"
# Not converted, with a reason.
REFUSED = "refused"
# Ended its process, or took too long.
CRASHED = "crashed"


@dataclass(frozen=True)
class Attempt:
    """One converter's attempt at a model.

    Attributes:
        verdict: one of the words above.
        reason: a sentence; empty of what is proved.
        max_abs_diff: largest ``|onnx - tensorflow|``; None if it was not compared.
        tensorflow_ms: of one item, the median.
        onnxruntime_ms: the same.
        size_bytes: of the ONNX.
    """

    verdict: str
    reason: str = ""
    max_abs_diff: float | None = None
    tensorflow_ms: float | None = None
    onnxruntime_ms: float | None = None
    size_bytes: int | None = None

    @property
    def speed_up(self) -> float | None:
        """How many items ONNX Runtime answers while TensorFlow answers one."""
        if self.tensorflow_ms is None or not self.onnxruntime_ms:
            return None
        return self.tensorflow_ms / self.onnxruntime_ms


@dataclass(frozen=True)
class Row:
    """A model, and both attempts at it.

    Attributes:
        name: the specimen's.
        refused: a piece of the sentence that it must be refused with; empty if it must
            convert.
        ours: ``exporter convert``'s attempt.
        alone: that of tf2onnx without the exporter.
    """

    name: str
    refused: str
    ours: Attempt
    alone: Attempt

    @property
    def is_as_it_should_be(self) -> bool:
        """It is proved, or refused where it must be."""
        if self.refused:
            return self.ours.verdict == REFUSED and self.refused in self.ours.reason
        return self.ours.verdict == PROVED
