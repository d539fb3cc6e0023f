"""tf2onnx's optimizers, with less memory, and without what two of them get wrong.

tf2onnx 1.17 goes through a dozen until none finds more to do. Before each it copies the
graph with all its weights, and after each it writes every node anew, the weights too,
of which protobuf gives nothing back before the whole message goes. ResNet50, which has
100 MB of them, took 7.5 GB and three times as long.
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
    """Optimize what ``process`` makes, a ``tf2onnx.graph.Graph``.

    Only where an optimizer breaks something is the graph copied before each, so that it
    can be put back.
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
    """Not for good: who uses tf2onnx beside the exporter gets it as it is."""
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
    """Leave a constant alone that holds what was written; ``set_attr`` makes another.

    The mark is copied with the node, and what it marks too.
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
    """Leave a Transpose of sides of 1 as it is.

    tf2onnx makes it a Reshape, to the shape that it has noted; of what it has moved
    Transposes over, the noted one is that from before (tensorflow-onnx issues 226,
    1464). A LayerNormalization of one pixel, as a small picture leaves it in ConvNeXt,
    was scaled along the wrong axis.
    """


def _join_unless_copied(graph: Any, node: Any, consumers: Any) -> Any:
    """Leave two ``Reshape`` in a row where the second one's shape has a 0.

    A 0 is the side that what is reshaped has there. tf2onnx writes it where a shape was
    computed of that side, then leaves out the ``Reshape`` before, and so the 0 is
    another tensor's side: attention that splits its heads after a dense layer breaks.
    """
    for consumer in consumers:
        if consumer.type == "Reshape":
            shape = consumer.inputs[1]
            if shape.is_const() and 0 in shape.get_tensor_value():
                return []
    return _join(graph, node, consumers)
