"""The variants of a model's ONNX file, in float32 and in smaller number types.

``model.onnx`` computes in float32, as TensorFlow does. ``model.fp16.onnx`` and
``model.int8.onnx`` give slightly different answers, and are faster on hardware that is
made for them. Each has its own proof.
"""

from __future__ import annotations

from typing import Literal, get_args

from bundle.report import CHANGED_BY_EXPORTER

Variant = Literal["fp32", "fp16", "int8"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)


def onnx_file(variant: Variant = "fp32") -> str:
    """Name a variant's file in a bundle."""
    return "model.onnx" if variant == "fp32" else f"model.{variant}.onnx"


def parity_file(variant: Variant = "fp32") -> str:
    """Name the file with a variant's proof."""
    return "parity.json" if variant == "fp32" else f"parity.{variant}.json"


# Weights that are too large for an ONNX file lie in a second file, whose name is the
# first one's with this ending.
DATA = ".data"

# The exporter adds these files to a bundle, and may replace them at any time.
EXPORTED = (
    onnx_file() + DATA,
    *(file(variant) for variant in VARIANTS for file in (parity_file, onnx_file)),
    *CHANGED_BY_EXPORTER,
)
