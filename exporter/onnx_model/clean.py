"""Remove the parts of tf2onnx's graph that are not needed.

onnxslim folds constants, the Shape-Gather-Concat chain that a Flatten leaves,
transposes that cancel out, and nodes that occur twice. The result is proved like any
other model; ``exporter.export`` uses the uncleaned graph if the proof fails.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import onnx
import onnxruntime
import onnxslim
import sympy
from onnx import TensorProto
from onnxslim.core.shape_inference.context import InferenceContext

logger = logging.getLogger(__name__)


_WHOLE = (TensorProto.INT32, TensorProto.INT64)
_compute = InferenceContext.compute_on_sympy_data


def _compute_whole(self: Any, node: onnx.NodeProto, function: Any) -> None:
    """Leave real numbers alone.

    onnxslim 0.1.98 computes with the sides of shapes as whole numbers even after a cast
    to real ones. Its ``Mul`` then writes half of 5 into the graph as 2.
    """
    known = (self.known_vi_.get(name) for name in node.input)
    if all(info is None or info.type.tensor_type.elem_type in _WHOLE for info in known):
        _compute(self, node, function)


InferenceContext.compute_on_sympy_data = _compute_whole
# Otherwise onnxslim believes that two axes are equally long wherever they meet, if one
# of them is free; also in a Concat along that axis. ONNX Runtime trusts the lengths
# that follow.
onnxslim.core.AUTO_MERGE = False


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the answers do not need; a model that onnxslim fails on stays.

    Args:
        model: a model below 2 GB; it is not changed.

    Returns:
        A model with the same inputs and outputs, in name, order, type and shape.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    try:
        with _simplifying_once():
            cleaned: onnx.ModelProto = onnxslim.slim(copy)
    # onnxslim has no exceptions of its own, and a graph may make it raise any.
    except Exception as ex:
        logger.info("onnxslim cannot clean the graph: %s", ex)
        return model
    finally:
        # onnxslim lets ONNX Runtime write to standard error without our logging.
        onnxruntime.set_default_logger_severity(4)
    for kept, given in (
        (model.graph.input, cleaned.graph.input),
        (model.graph.output, cleaned.graph.output),
    ):
        if [node.name for node in kept] != [node.name for node in given]:
            return model
        for old, new in zip(kept, given, strict=True):
            new.CopyFrom(old)
    cleaned.producer_name = model.producer_name
    cleaned.producer_version = model.producer_version
    return cleaned


@contextmanager
def _simplifying_once() -> Iterator[None]:
    """Let sympy simplify each expression once.

    onnxslim goes through the graph until nothing changes, and has sympy simplify the
    sides of each Slice each time: two expressions twenty times, four seconds in all,
    for a transposed convolution of free sides.
    """
    simplify = sympy.simplify
    # Typed, because 2 and 2.0 are the same key without.
    sympy.simplify = lru_cache(maxsize=None, typed=True)(simplify)
    try:
        yield
    finally:
        sympy.simplify = simplify
