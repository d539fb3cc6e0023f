"""``exporter inspect``: describe an ONNX file without TensorFlow or an engine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from bundle.variants import DATA
from exporter.child.run import Limits, Tell, run_in_child
from exporter.errors import NoOnnx
from exporter.reports.flops import count_flops

# Tensors of these dtypes are shapes, axes, indices and texts, and no parameters.
# Weights, also quantized ones, have other dtypes.
_NO_PARAMETERS = (onnx.TensorProto.INT64, onnx.TensorProto.STRING)


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        dtype: the name that numpy gives it; ``object`` for texts.
        shape: a free axis is its name, or ``?``.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Inspection:
    """The description of an ONNX file.

    Attributes:
        file: the name of the file.
        size_bytes: its size, with its external data.
        opsets: the version by domain; the empty domain is ONNX's own.
        operators: the number of nodes of each operator, also inside loops and branches.
        parameters: the number of numbers in its weights.
        flops: the operations for one item, see ``count_flops``; None if that is not
            fixed.
        metadata: the notes of the program that wrote it.
    """

    file: str
    size_bytes: int
    producer: str
    ir_version: int
    opsets: Mapping[str, int]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: Mapping[str, int]
    parameters: int
    flops: int | None
    metadata: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return asdict(self)


def inspect_in_child(path: Path, limits: Limits) -> Inspection:
    """Read an ONNX file in a child process; see ``inspect``.

    Raises:
        ExportError, WallsError: see ``run_in_child``.
    """
    return run_in_child(
        _inspect, path, limits=limits, tell=lambda step: None, reads=[path]
    )


def _inspect(path: Path, tell: Tell) -> Inspection:
    return inspect(path)


def inspect(path: Path) -> Inspection:
    """Read an ONNX file, without its external data.

    Raises:
        NoOnnx: the file is not there, or is no ONNX.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        files = [path, path.with_name(path.name + DATA)]
        size = sum(file.stat().st_size for file in files if file.is_file())
    except OSError as ex:
        raise NoOnnx(f"{path} cannot be read: {ex.strerror}") from ex
    except DecodeError as ex:
        raise NoOnnx(f"{path} is not an ONNX file") from ex
    # Nearly any bytes are some message, because protobuf passes over unknown fields.
    if not model.graph.node:
        raise NoOnnx(f"{path} is not an ONNX file: it has no nodes")
    graphs = list(_graphs(model.graph))
    counts = Counter(node.op_type for graph in graphs for node in graph.node)
    weights = {tensor.name for tensor in model.graph.initializer}
    return Inspection(
        file=path.name,
        size_bytes=size,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        ir_version=model.ir_version,
        opsets={opset.domain: opset.version for opset in model.opset_import},
        inputs=tuple(_tensor(n) for n in model.graph.input if n.name not in weights),
        outputs=tuple(_tensor(n) for n in model.graph.output),
        operators=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        parameters=sum(map(_parameters, graphs)),
        flops=count_flops(model),
        metadata={prop.key: prop.value for prop in model.metadata_props},
    )


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def _parameters(graph: onnx.GraphProto) -> int:
    return sum(
        math.prod(tensor.dims)
        for tensor in graph.initializer
        if tensor.data_type not in _NO_PARAMETERS
    )


def _tensor(node: onnx.ValueInfoProto) -> Tensor:
    kind = node.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    shape = tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
        for dim in kind.shape.dim
    )
    return Tensor(node.name, dtype, shape)
