"""Keep large weights in a file beside the graph, as ONNX's external data.

A model.onnx is one protobuf message, which ends at 2 GB, and so does each tensor in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

# Each weight begins at a multiple of this in the file, so that it can be mapped into
# memory.
_PAGE = 4096


def move_out(
    model: onnx.ModelProto, weights: Mapping[str, NDArray[Any]], path: Path
) -> None:
    """Turn the inputs that stand for weights into weights, and write those to a file.

    Args:
        model: is changed.
        weights: arrays of any shape and dtype, by the names of the inputs.
        path: the file, which must lie beside the model's file and must not be moved
            away.

    Raises:
        OSError: the file cannot be written.
    """
    taken = {node.name: node for node in model.graph.input}
    with path.open("wb") as stream:
        for name, value in weights.items():
            if name not in taken:
                continue  # no node needed it
            stream.seek(-(-stream.tell() // _PAGE) * _PAGE)
            offset = stream.tell()
            # The buffer is written without a copy: a copy of gigabytes could exceed the
            # memory.
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
