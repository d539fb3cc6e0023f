"""The settings of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundle.variants import Variant

# 18 is the newest opset that tf2onnx 1.17 writes. The oldest must have all operators
# that the rewrites use: ReduceSum with its axes as an input came with 13, BitwiseAnd
# with 18.
OPSET = 18
OPSETS = (15, 16, 17, 18)


@dataclass(frozen=True)
class Options:
    """The settings that a caller may choose.

    Attributes:
        opset: the version of ONNX's operators, one of ``OPSETS``.
        inputs_as_nchw: the names of inputs that the ONNX takes as ``(N, C, H, W)``
            where TensorFlow takes ``(N, H, W, C)``.
        fp16: also write model.fp16.onnx.
        int8: also write model.int8.onnx.
        calibration: a folder of images or arrays on which int8 is calibrated; None is
            the bundle's sample.
        clean: remove from the graph everything that its answers do not need.
        latency: also measure the time of both engines by batch size, for the report.
        verbose: show the output of TensorFlow and tf2onnx.
    """

    opset: int = OPSET
    inputs_as_nchw: tuple[str, ...] = ()
    fp16: bool = False
    int8: bool = False
    calibration: Path | None = None
    clean: bool = True
    latency: bool = False
    verbose: bool = False

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants to write beside model.onnx."""
        asked: tuple[tuple[Variant, bool], ...] = (
            ("fp16", self.fp16),
            ("int8", self.int8),
        )
        return tuple(variant for variant, is_asked in asked if is_asked)


DEFAULTS = Options()
