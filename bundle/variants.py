"""A model's ONNX files: as TensorFlow computes, and in smaller numbers beside it.

``model.onnx`` is float32; ``model.fp16.onnx`` and ``model.int8.onnx`` answer a little
otherwise, and faster where the hardware is made for it. Each has its own proof.
"""

from __future__ import annotations

from typing import Literal, get_args

Variant = Literal["fp32", "fp16", "int8"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)


def onnx_file(variant: Variant = "fp32") -> str:
    """The name of a variant's file in a bundle."""
    return "model.onnx" if variant == "fp32" else f"model.{variant}.onnx"


def parity_file(variant: Variant = "fp32") -> str:
    """The name of the file that proves it."""
    return "parity.json" if variant == "fp32" else f"parity.{variant}.json"


# Appended to an ONNX file's name, the name of the file with its weights, where those
# are too large for one file.
DATA = ".data"

# What the exporter adds to a bundle, and may replace at any time.
EXPORTED = (
    onnx_file() + DATA,
    *(file(variant) for variant in VARIANTS for file in (parity_file, onnx_file)),
)
