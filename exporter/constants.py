"""tf2onnx's constants, each written once.

After each of its dozen optimizers tf2onnx 1.17 writes every node of its graph anew, the
weights too, and protobuf gives nothing back before the whole message goes: ResNet50,
which has 100 MB of them, took 7.5 GB and three times as long.
"""

from __future__ import annotations

from typing import Any

from tf2onnx.graph import Node

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


def write_constants_once() -> None:
    """Have tf2onnx do so, in this process."""
    Node.update_proto = _update_once
