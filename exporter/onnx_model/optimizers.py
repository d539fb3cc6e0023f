"""Run tf2onnx's optimizers with less memory, and without two of their errors.

tf2onnx 1.17 runs a dozen optimizers until none of them changes anything. Before each
one it copies the graph with all weights, and after each one it writes every node again,
also the weights, whose memory protobuf keeps until the whole message is freed. ResNet50
has 100 MB of weights; it took 7.5 GB and three times as long.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tf2onnx import optimizer
from tf2onnx.graph import Node
from tf2onnx.optimizer import back_to_back_optimizer
from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

logger = logging.getLogger(__name__)


def optimize(process: Callable[[], Any]) -> Any:
    """Optimize the ``tf2onnx.graph.Graph`` that ``process`` makes.

    The first attempt copies nothing. Only if an optimizer breaks something, the graph
    is copied before each one, so that it can be put back.
    """
    made = process()
    with _amended():
        try:
            return optimizer.optimize_graph(made, catch_errors=False)
        except Exception as ex:
            logger.info("an optimizer of tf2onnx breaks the graph: %s", ex)
        return optimizer.optimize_graph(process(), catch_errors=True)


@contextmanager
def _amended() -> Iterator[None]:
    """Change tf2onnx until the end of the block; other users of it get it unchanged."""
    transposes = TransposeOptimizer.post_optimize_action
    Node.update_proto = _update_once
    TransposeOptimizer.post_optimize_action = _keep_transposes
    back_to_back_optimizer._func_map[_RESHAPE] = _join_unless_copied
    try:
        yield
    finally:
        Node.update_proto = _update
        TransposeOptimizer.post_optimize_action = transposes
        back_to_back_optimizer._func_map[_RESHAPE] = _join


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
