"""What tf2onnx 1.17 cannot convert, said so that it can; one file a rewrite.

Each says why it is there, so that it can be deleted when tf2onnx catches up. There are
two kinds, see ``registry``: lowerings, by operators of TensorFlow, and handlers, by
operators of ONNX.
"""

from exporter.rewrites import (
    arctangent,
    bits,
    broadcast,
    cross,
    ctc,
    cumulative_product,
    elimination,
    empty,
    erfc,
    fourier,
    logarithm,
    next_after,
    pair,
    projection,
    ranking,
    reflections,
    remainder,
    segments,
    select,
    singular_values,
    special,
    strided_slice,
    symmetric,
    table,
    unique,
    update_slice,
)
from exporter.rewrites.registry import COMPLEX, HANDLERS, LOWERINGS

__all__ = [
    "COMPLEX",
    "HANDLERS",
    "LOWERINGS",
    "arctangent",
    "bits",
    "broadcast",
    "cross",
    "ctc",
    "cumulative_product",
    "elimination",
    "empty",
    "erfc",
    "fourier",
    "logarithm",
    "next_after",
    "pair",
    "projection",
    "ranking",
    "reflections",
    "remainder",
    "segments",
    "select",
    "singular_values",
    "special",
    "strided_slice",
    "symmetric",
    "table",
    "unique",
    "update_slice",
]
