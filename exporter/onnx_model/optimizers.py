"""Run tf2onnx's optimizers in less time and memory, and without two of their errors.

tf2onnx 1.17 runs a dozen optimizers until none of them changes anything. Before each
one it copies the graph with all weights, and after each one it writes every node again,
also the weights, whose memory protobuf keeps until the whole message is freed. ResNet50
has 100 MB of weights; it took 7.5 GB and three times as long.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import onnx
from tf2onnx import optimizer
from tf2onnx.graph import Graph, Node
from tf2onnx.optimizer import back_to_back_optimizer, einsum_optimizer
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase
from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

logger = logging.getLogger(__name__)

# tf2onnx writes an Einsum anew for each order of its letters, in 1 ms, and keeps the
# cheapest. Attention over the sides of a picture has seven letters, so 5,040 orders,
# and over three sides nine, so 362,880. 120 are all orders of five letters. For six and
# seven letters, the first 120 orders have one that costs no more than the best of all.
_EINSUM_ORDERS = 120


def optimize(process: Callable[[], Any]) -> onnx.ModelProto:
    """Optimize the ``tf2onnx.graph.Graph`` that ``process`` makes, and write it.

    The first attempt copies nothing, and writes once. Only if an optimizer breaks
    something, the graph is copied before each one and written after it, so that it can
    be put back.
    """
    with _amended():
        made = process()
        try:
            with _unwritten():
                made = optimizer.optimize_graph(made, catch_errors=False)
            model: onnx.ModelProto = made.make_model("")
            return model
        except Exception as ex:
            logger.info("an optimizer of tf2onnx breaks the graph: %s", ex)
        with _written_once():
            made = optimizer.optimize_graph(process(), catch_errors=True)
        model = made.make_model("")
        return model


@contextmanager
def _amended() -> Iterator[None]:
    """Change tf2onnx until the end of the block; other users of it get it unchanged."""
    transposes = TransposeOptimizer.post_optimize_action
    extract = Graph.extract_sub_graph_nodes
    TransposeOptimizer.post_optimize_action = _keep_transposes
    Graph.extract_sub_graph_nodes = _needed_for
    back_to_back_optimizer._func_map[_RESHAPE] = _join_unless_copied
    einsum_optimizer.permutations = _first_orders
    try:
        yield
    finally:
        TransposeOptimizer.post_optimize_action = transposes
        Graph.extract_sub_graph_nodes = extract
        back_to_back_optimizer._func_map[_RESHAPE] = _join
        einsum_optimizer.permutations = itertools.permutations


@contextmanager
def _unwritten() -> Iterator[None]:
    """Let the optimizers work on tf2onnx's own nodes, and not on messages."""
    optimize_and_write = GraphOptimizerBase.optimize
    GraphOptimizerBase.optimize = _optimize_only
    try:
        yield
    finally:
        GraphOptimizerBase.optimize = optimize_and_write


@contextmanager
def _written_once() -> Iterator[None]:
    """Write a constant only if it has changed."""
    Node.update_proto = _update_once
    try:
        yield
    finally:
        Node.update_proto = _update


def _needed_for(
    self: Any,
    outputs: Iterable[str],
    is_inside: Callable[[Any], bool] | None = None,
    remove_unused_inputs: bool = True,
) -> list[Any]:
    """Return the nodes that the outputs need, in any order.

    tf2onnx goes through the graph once for each output, and looks for the graphs of
    branches in every node each time. It returns the same nodes, also in any order. The
    graph's own order would make worse graphs: 48 nodes in place of 19 for Keras's
    Bidirectional.

    Args:
        self: a ``tf2onnx.graph.Graph``.
        outputs: the names of the outputs.
        is_inside: tells whether a node belongs to the part that is wanted.
        remove_unused_inputs: whether inputs of the graph are needed only if used.
    """
    names = [*outputs]
    if not remove_unused_inputs:
        names += [node.output[0] for node in self.inputs]
    found = set()
    while names:
        node = self.get_node_by_output(names.pop(), search_in_parent_graphs=False)
        if not node or node in found or (is_inside and is_inside(node) is False):
            continue
        found.add(node)
        names += node.input
        if node.name in self.contained_graphs:
            names += node.get_implicit_inputs()
    return list(found)


def _optimize_only(self: Any, graph: Any, iteration: int) -> Any:
    """Run one optimizer, as ``GraphOptimizerBase.optimize`` does before it writes.

    The messages of branches and loops stay those that ``process_tf_graph`` wrote. The
    optimizers look at these messages only to tell two nodes apart, and each message has
    its node's name.
    """
    self.opt_iteration = iteration
    graph = self._optimize(graph)
    graph.delete_unused_nodes(graph.outputs)
    return graph


_RESHAPE = ("Reshape",)
_join = back_to_back_optimizer._func_map[_RESHAPE]
_update = Node.update_proto


def _update_once(self: Any, external_tensor_storage: Any = None) -> None:
    """Leave a constant that is unchanged; ``set_attr`` would write it again.

    A copy of the node has the mark, too, and the content that it marks.
    """
    value = self.attr.get("value") if self.type == "Const" else None
    if value is None or external_tensor_storage is not None:
        _update(self, external_tensor_storage)
    elif self.__dict__.get("written") is not value or [*self.output] != [
        *self._op.output
    ]:
        _update(self)
        self.written = value


def _first_orders(letters: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Return the first orders of an Einsum's letters, and not all of them."""
    return itertools.islice(itertools.permutations(letters), _EINSUM_ORDERS)


def _keep_transposes(self: Any) -> None:
    """Keep a Transpose of an axis of length 1 as it is.

    tf2onnx turns it into a Reshape to the shape that it has noted. If it has moved a
    Transpose over the node, the noted shape is the one from before (tensorflow-onnx
    issues 226, 1464). In ConvNeXt, a LayerNormalization of one pixel was scaled along
    the wrong axis, which happens with small pictures.
    """


def _join_unless_copied(graph: Any, node: Any, consumers: Any) -> Any:
    """Keep two ``Reshape`` in a row if the shape of the second one has a 0.

    A 0 stands for the side that the input of the ``Reshape`` has in that place. tf2onnx
    writes the 0 where the shape was computed from that side. If it then removes the
    ``Reshape`` before, the 0 stands for a side of another tensor, which breaks
    attention that splits its heads after a dense layer.
    """
    for consumer in consumers:
        if consumer.type == "Reshape":
            shape = consumer.inputs[1]
            if shape.is_const() and 0 in shape.get_tensor_value():
                return []
    return _join(graph, node, consumers)
