"""How a model is to be converted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundle.variants import Variant

# The newest that tf2onnx 1.17 writes, and the oldest with all operators that the
# rewrites count on (ReduceSum's axes as an input, BitwiseAnd come with 13 and 18).
OPSET = 18
OPSETS = (15, 16, 17, 18)


@dataclass(frozen=True)
class Options:
    """What a caller may ask of a conversion.

    Attributes:
        opset: of the ONNX that is written, one of ``OPSETS``.
        inputs_as_nchw: inputs, by name, that the ONNX takes as ``(N, C, H, W)`` where
            TensorFlow takes ``(N, H, W, C)``.
        fp16: also write model.fp16.onnx.
        int8: also write model.int8.onnx.
        calibration: a folder of images, or of arrays, that int8 is calibrated on; None
            is the bundle's sample.
        clean: take out of the graph what its answers do not need.
        verbose: let TensorFlow and tf2onnx speak.
    """

    opset: int = OPSET
    inputs_as_nchw: tuple[str, ...] = ()
    fp16: bool = False
    int8: bool = False
    calibration: Path | None = None
    clean: bool = True
    verbose: bool = False

    @property
    def variants(self) -> tuple[Variant, ...]:
        """What is to be written beside model.onnx."""
        asked: tuple[tuple[Variant, bool], ...] = (
            ("fp16", self.fp16),
            ("int8", self.int8),
        )
        return tuple(variant for variant, is_asked in asked if is_asked)


DEFAULTS = Options()
