"""What an uploaded model would run, looked at before anything of it does.

A SavedModel and a frozen graph are programs: TensorFlow has operators that read and
write files, call Python and open connections. ONNX has none, but for operators of
domains that somebody registered, and weights that lie in other files. Both are read
here without TensorFlow, from the few fields that matter.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from bundle.archive import COMPONENT
from bundle.errors import BundleError
from bundle.folder import SAVED_MODEL, Bundle
from bundle.variants import VARIANTS, onnx_file
from runtime.proto.programs_pb2 import (
    FunctionDef,
    GraphDef,
    MetaGraphDef,
    NodeDef,
    OnnxGraph,
    OnnxModel,
    OnnxNode,
    OnnxSparseTensor,
    OnnxTensor,
    SavedModel,
    TensorInfo,
)

# Made by tools/operators.py.
_OPERATORS = Path(__file__).with_name("operators.txt")
_NONE: frozenset[str] = frozenset()
# What brings the variables back when a SavedModel of TensorFlow 1 is loaded, and stands
# in every SavedModel.
_RESTORING = frozenset({"RestoreV2"})
# What writes them, for those who train on; in every SavedModel too, and never run here.
_SAVING = frozenset({"SaveV2", "ShardedFilename", "MergeV2Checkpoints"})
# A function may be called as an operator, but not in the name of one: which of the two
# is then run is TensorFlow's affair.
_OPERATOR_NAME = re.compile(r"_*[A-Z][A-Za-z0-9]*")

# ONNX's own, and what every ONNX Runtime has beside them.
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
# TensorProto.EXTERNAL.
_EXTERNAL = 1

_Function = Mapping[str, FunctionDef]


def check_programs(bundle: Bundle, *, trusted: bool) -> None:
    """Look at all that a bundle could have run.

    Args:
        bundle: opened.
        trusted: take any operator; files must be the bundle's own all the same.

    Raises:
        BundleError: an operator is not taken, a file cannot be read, or an ONNX has
            weights elsewhere.
    """
    if bundle.tensorflow_model and not trusted:
        if bundle.has_saved_model:
            _check_saved_model(bundle.path / SAVED_MODEL)
        else:
            _check_frozen(bundle.tensorflow_model)
    for variant in VARIANTS:
        path = bundle.path / onnx_file(variant)
        if path.exists():
            _check_onnx(path, trusted=trusted)


def _check_saved_model(path: Path) -> None:
    for meta in _read(path, SavedModel()).meta_graphs:
        _check_meta_graph(meta, path.name)


def _check_frozen(path: Path) -> None:
    graph = _read(path, GraphDef())
    functions = {f.signature.name: f for f in graph.library.function}
    _check_nodes(graph.node, "the graph", functions, path.name)
    for name, function in functions.items():
        _check_nodes(function.node_def, f"function {name!r}", functions, path.name)


def _check_meta_graph(meta: MetaGraphDef, file: str) -> None:
    """Check all; what only saving uses, which nobody asks for here, may save.

    What loading runs (initializers, the resources' functions) is not of that.
    """
    graph = meta.graph_def
    functions = {f.signature.name: f for f in graph.library.function}
    inputs = {n.name: [_node_of(tensor) for tensor in n.input] for n in graph.node}
    restoring = _before(inputs, [meta.saver_def.restore_op_name])
    asked = _before(inputs, _asked(meta))
    # Not what anything else needs as well: the file says itself what saving is.
    saving = _before(inputs, [meta.saver_def.save_tensor_name])
    saving -= restoring | asked
    savers = [node for node in graph.node if node.name in saving]
    others = [node for node in graph.node if node.name not in saving]
    restorers = [n for n in others if n.name in restoring and n.name not in asked]
    plain = [n for n in others if n.name not in restoring or n.name in asked]
    # Whatever else a function is for, a loader may call it by its name.
    objects = meta.object_graph_def
    named = set(objects.concrete_functions)
    for found in objects.nodes:
        named.update(found.function.concrete_functions)
        named.add(found.bare_concrete_function.concrete_function_name)
    called = _reachable(_called(plain, functions) | named, functions)
    restored = _reachable(_called(restorers, functions), functions) - called
    saved = _reachable(_called(savers, functions), functions) - called - restored
    _check_nodes(plain, "the graph", functions, file)
    _check_nodes(restorers, "the graph", functions, file, _RESTORING)
    _check_nodes(savers, "the graph", functions, file, _SAVING)
    for name in sorted(functions):
        also = _RESTORING if name in restored else _SAVING if name in saved else _NONE
        nodes = functions[name].node_def
        _check_nodes(nodes, f"function {name!r}", functions, file, also)


def _asked(meta: MetaGraphDef) -> Iterator[str]:
    """Tensors and nodes that a loader may run: of signatures, initializers, others."""
    for signature in meta.signature_def.values():
        for tensor in (*signature.inputs.values(), *signature.outputs.values()):
            yield from _names_of(tensor)
    for collection in meta.collection_def.values():
        yield from collection.node_list.value


def _names_of(tensor: TensorInfo) -> Iterator[str]:
    sparse = tensor.coo_sparse
    yield from (tensor.name, sparse.values_tensor_name, sparse.indices_tensor_name)
    yield sparse.dense_shape_tensor_name
    for component in tensor.composite_tensor.components:
        yield from _names_of(component)


def _before(inputs: Mapping[str, list[str]], tensors: Iterable[str]) -> set[str]:
    """The names of tensors' nodes, and of all that they need."""
    found: set[str] = set()
    waiting = [_node_of(tensor) for tensor in tensors]
    while waiting:
        name = waiting.pop()
        if name in inputs and name not in found:
            found.add(name)
            waiting += inputs[name]
    return found


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _called(nodes: Iterable[NodeDef], functions: _Function) -> set[str]:
    """The functions that nodes call, by an attribute or as their operator."""
    found = set()
    for node in nodes:
        found.add(node.op)
        for value in node.attr.values():
            found.add(value.func.name)
            found.update(func.name for func in value.list.func)
    return found & functions.keys()


def _reachable(names: set[str], functions: _Function) -> set[str]:
    found: set[str] = set()
    waiting = [*(names & functions.keys())]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _called(functions[name].node_def, functions)
    return found


def _check_nodes(
    nodes: Iterable[NodeDef],
    where: str,
    functions: _Function,
    file: str,
    also: frozenset[str] = _NONE,
) -> None:
    taken = operators()
    for node in nodes:
        is_called = node.op in functions and not _OPERATOR_NAME.fullmatch(node.op)
        if not (node.op in taken or node.op in also or is_called):
            raise BundleError(
                f"{file}: the operator {node.op[:64]!r} (node {node.name[:128]!r} in"
                f" {where[:128]}) is not taken from uploads, for it may do more than"
                " compute; README, Upload, says what is"
            )


@lru_cache(maxsize=1)
def operators() -> frozenset[str]:
    """TensorFlow's, that compute."""
    lines = _OPERATORS.read_text(encoding="ascii").split("\n")
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _check_onnx(path: Path, *, trusted: bool) -> None:
    model = _read(path, OnnxModel())
    # A function of the model's own is made of other nodes, which are looked at.
    own = {function.domain for function in model.functions}
    nodes = [*_nodes(model.graph.node)]
    for function in model.functions:
        nodes += _nodes(function.node)
    for node in nodes:
        if not trusted and node.domain not in _DOMAINS and node.domain not in own:
            raise BundleError(
                f"{path.name}: the operator {node.op_type[:64]!r} is of"
                f" {node.domain[:64]!r}, whose operators are not taken from uploads"
            )
    for tensor in _tensors(model.graph, nodes):
        if tensor.data_location == _EXTERNAL or tensor.external_data:
            _check_external(path, tensor)


def _check_external(path: Path, tensor: OnnxTensor) -> None:
    """Weights may lie in a file beside the model, and nowhere else."""
    locations = [e.value for e in tensor.external_data if e.key == "location"]
    if len(locations) != 1 or not COMPONENT.fullmatch(locations[0]):
        raise BundleError(
            f"{path.name} has weights in {', '.join(locations)[:128]!r}; they must be"
            " in a file of the bundle, beside it"
        )
    (name,) = locations
    try:
        found = os.lstat(path.with_name(name))
    except OSError as ex:
        raise BundleError(f"{name!r}, with weights of {path.name}, is missing") from ex
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise BundleError(f"{name!r} is not a plain file of the bundle's own")


def _nodes(nodes: Iterable[OnnxNode]) -> Iterator[OnnxNode]:
    """Nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g.node)
            for graph in attribute.graphs:
                yield from _nodes(graph.node)


def _tensors(graph: OnnxGraph, nodes: Iterable[OnnxNode]) -> Iterator[OnnxTensor]:
    """Every tensor that may have its values elsewhere."""
    graphs = [graph]
    for node in nodes:
        for attribute in node.attribute:
            graphs += [attribute.g, *attribute.graphs]
            yield from (attribute.t, *attribute.tensors)
            sparse = (attribute.sparse_tensor, *attribute.sparse_tensors)
            yield from _dense(sparse)
    for one in graphs:
        yield from one.initializer
        yield from _dense(one.sparse_initializer)


def _dense(sparse: Iterable[OnnxSparseTensor]) -> Iterator[OnnxTensor]:
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)


def _read(path: Path, message: Any) -> Any:
    try:
        message.ParseFromString(path.read_bytes())
    except DecodeError as ex:
        raise BundleError(f"{path.name} is damaged: it cannot be read") from ex
    except OSError as ex:
        raise BundleError(f"{path.name} cannot be read: {ex.strerror}") from ex
    return message
