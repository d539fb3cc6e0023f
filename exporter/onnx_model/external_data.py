"""Weights in a file of their own, beside the graph: ONNX's external data.

A model.onnx is one protobuf message, which ends at 2 GB; so does each tensor inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

# Of a weight's place in the file, so that it can be mapped into memory as it lies.
_PAGE = 4096


def move_out(
    model: onnx.ModelProto, weights: Mapping[str, NDArray[Any]], path: Path
) -> None:
    """Make weights of inputs that stand for them, and write them to a file.

    Args:
        model: is changed.
        weights: by the names of the inputs.
        path: the file, which must lie beside the model's, and only there.

    Raises:
        OSError: it cannot be written.
    """
    taken = {node.name: node for node in model.graph.input}
    with path.open("wb") as stream:
        for name, value in weights.items():
            if name not in taken:
                continue  # nothing needed it
            stream.seek(-(-stream.tell() // _PAGE) * _PAGE)
            offset = stream.tell()
            # By its buffer: a copy of what takes gigabytes could be one too many.
            stream.write(np.ascontiguousarray(value).data)
            tensor = model.graph.initializer.add()
            tensor.name = name
            tensor.data_type = taken[name].type.tensor_type.elem_type
            tensor.dims.extend(value.shape)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, entry in (
                ("location", path.name),
                ("offset", offset),
                ("length", value.nbytes),
            ):
                tensor.external_data.add(key=key, value=str(entry))
            model.graph.input.remove(taken[name])
