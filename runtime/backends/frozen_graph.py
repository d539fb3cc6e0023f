"""A frozen graph in TensorFlow: the form that TF1 wrote and TFaaS first served."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from runtime.backends.saved_model import Signature, TensorFlowBackend, import_tensorflow
from runtime.backends.warming import Ranges
from runtime.errors import BackendError

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
# Keras's learning phase is such a node, and so is the share that a dropout keeps.
_WITH_DEFAULT = "PlaceholderWithDefault"
# Freezing replaces each of these operators by a constant.
_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
# These nodes may be the last of a graph and are still no answer.
_NO_ANSWERS = ("Assert", "Const", "NoOp")
# An error lists at most so many nodes; an Inception has some thousand.
_SHOWN = 8

Shape = tuple[int | None, ...]


class FrozenGraphBackend(TensorFlowBackend):
    """One GraphDef with its weights inside, run from some of its nodes to others.

    Its tensors have the names of the nodes, without ``:0``.

    Args:
        path: the ``.pb`` file.
        inputs: the nodes that take the inputs, with ``:0`` or without. Any node may be
            an input; the nodes before it are not run.
        outputs: the nodes that give the answers; ``split:1`` is a node's second output.
        shape: the shape of the one input, N included, for a graph that leaves it open.
        ranges: the ranges from which inputs are warmed; see ``warm_up``.

    Raises:
        BackendError: TensorFlow is not installed, or cannot load or run the graph; a
            node is missing; more inputs are needed; or the input's shape is not known.
    """

    def __init__(
        self,
        path: Path,
        inputs: Sequence[str],
        outputs: Sequence[str],
        shape: Shape | None = None,
        ranges: Ranges | None = None,
    ) -> None:
        super().__init__(load_graph(path, inputs, outputs, shape), ranges)


def load_graph(
    path: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    shape: Shape | None = None,
) -> Signature:
    """Load the part of a frozen graph that lies between some of its nodes.

    See ``FrozenGraphBackend``.
    """
    tensorflow = import_tensorflow()
    fed = [name.removesuffix(":0") for name in inputs]
    answering = [name.removesuffix(":0") for name in outputs]
    graph = _read(tensorflow, path)
    _check_nodes(path.name, graph, fed, answering)
    for node in graph.node:
        # The device of the training says nothing about the device of the service.
        node.device = ""
        if node.name not in fed and node.op == _WITH_DEFAULT:
            _settle(node)
        if [node.name] == fed and shape and _is_open(node):
            told = tensorflow.TensorShape(shape).as_proto()
            node.attr["shape"].shape.CopyFrom(told)
    try:
        whole = tensorflow.compat.v1.wrap_function(
            lambda: tensorflow.graph_util.import_graph_def(graph, name=""), []
        )
        taken = {name: _tensor(whole.graph, name) for name in fed}
        given = {name: _tensor(whole.graph, name) for name in answering}
        function = whole.prune(taken, given)
    except Exception as ex:
        raise BackendError(f"TensorFlow cannot load {path.name}") from ex
    for name, tensor in taken.items():
        if tensor.shape.rank is None:
            raise BackendError(
                f"{path.name} leaves the shape of {name!r} open: 'input_node' must be"
                " a placeholder then, and params.json must tell the values of a row in"
                " 'features', or 'img_channels' of images"
            )
    # These are specs, because tensors would keep the whole graph in memory.
    spec_of = tensorflow.TensorSpec.from_tensor
    return Signature(
        function,
        {name: spec_of(tensor) for name, tensor in taken.items()},
        {name: spec_of(tensor) for name, tensor in given.items()},
    )


def _tensor(graph: Any, name: str) -> Any:
    return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")


def _read(tensorflow: Any, path: Path) -> Any:
    try:
        graph = tensorflow.compat.v1.GraphDef.FromString(path.read_bytes())
    except Exception as ex:
        raise BackendError(f"{path.name} is not a frozen graph") from ex
    # protobuf accepts nearly any bytes as a message, since it skips unknown fields.
    if not graph.node:
        raise BackendError(f"{path.name} is not a frozen graph: it has no nodes")
    return graph


def _settle(node: Any) -> None:
    """Let a placeholder give its default; tf2onnx would make it another input."""
    node.op = "Identity"
    node.attr["T"].CopyFrom(node.attr["dtype"])
    for key in set(node.attr) - {"T"}:
        del node.attr[key]


def _is_open(node: Any) -> bool:
    # Early TensorFlow wrote a shape without axes wherever one axis was free.
    return node.op in _PLACEHOLDERS and not node.attr["shape"].shape.dim


def _check_nodes(
    file: str, graph: Any, inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """Check that the nodes exist, and that the outputs follow from the inputs alone."""
    nodes = {node.name: node for node in graph.node}
    takers = (*_PLACEHOLDERS, _WITH_DEFAULT)
    placeholders = _some(node.name for node in graph.node if node.op in takers)
    used = {_node_of(name) for node in graph.node for name in node.input}
    ends = _some(
        node.name
        for node in graph.node
        if node.name not in used and node.op not in _NO_ANSWERS
    )
    if not inputs or not outputs:
        raise BackendError(
            f"{file} is a frozen graph, and the names of its input and output nodes are"
            f" missing; its placeholders are {placeholders}, the nodes at its ends"
            f" are {ends}"
        )
    for name in inputs:
        if _node_of(name) not in nodes:
            raise BackendError(
                f"{file} has no node {name!r}, which is named as 'input_node';"
                f" its placeholders are {placeholders}"
            )
    for name in outputs:
        if _node_of(name) not in nodes:
            raise BackendError(
                f"{file} has no node {name!r}, which is named as 'output_node';"
                f" the nodes at its ends are {ends}"
            )
    fed = {_node_of(name) for name in inputs}
    needed = _needed(nodes, fed, [_node_of(name) for name in outputs])
    if unused := sorted(fed - needed):
        raise BackendError(
            f"{file}: 'output_node' {', '.join(outputs)!r} does not follow from"
            f" 'input_node' {unused[0]!r}"
        )
    for name in sorted(needed - fed):
        if nodes[name].op in _VARIABLES:
            raise BackendError(
                f"{file} holds the variable {name!r} without its value; freeze the"
                " graph with tf.compat.v1.graph_util.convert_variables_to_constants"
            )
        if nodes[name].op in _PLACEHOLDERS:
            raise BackendError(
                f"{file} needs a value for {name!r} besides the input"
                f" {', '.join(inputs)!r}; freeze the graph with a constant in its place"
            )


def _needed(
    nodes: Mapping[str, Any], fed: Collection[str], answering: Iterable[str]
) -> set[str]:
    """Return all nodes that must run for the answers, fed nodes included."""
    needed: set[str] = set()
    waiting = list(answering)
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            if name not in fed:
                waiting += [_node_of(source) for source in nodes[name].input]
    return needed


def _node_of(source: str) -> str:
    """Return the node of an input: ``a`` for ``a``, ``a:1`` and ``^a``."""
    return source.removeprefix("^").partition(":")[0]


def _some(names: Iterable[str]) -> str:
    shown = list(islice(names, _SHOWN + 1))
    if len(shown) > _SHOWN:
        shown[_SHOWN] = "…"
    return ", ".join(shown) or "none"
