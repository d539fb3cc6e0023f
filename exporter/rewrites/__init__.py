"""What tf2onnx 1.17 cannot convert, said so that it can; one file a rewrite.

Each says why it is there, so that it can be deleted when tf2onnx catches up. There are
two kinds, see ``registry``: lowerings, by operators of TensorFlow, and handlers, by
operators of ONNX.
"""

from exporter.rewrites import (
    bias_add,
    bincount,
    bucketize,
    erfc,
    grouped_convolution,
    resampling,
    resize,
    table,
    transposed_convolution,
)
from exporter.rewrites.registry import HANDLERS, LOWERINGS

__all__ = [
    "HANDLERS",
    "LOWERINGS",
    "bias_add",
    "bincount",
    "bucketize",
    "erfc",
    "grouped_convolution",
    "resampling",
    "resize",
    "table",
    "transposed_convolution",
]
