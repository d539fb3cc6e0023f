"""Backends with memory stand here in place of engines."""

from __future__ import annotations

import numpy as np

from runtime.backends import TensorSpec
from runtime.errors import BackendError

PIXELS = TensorSpec("pixels", np.dtype(np.float32), (None, 2, 2, 1))
SCORES = TensorSpec("scores", np.dtype(np.float32), (None, 3))


class FakeBackend:
    """A backend that answers each batch with a constant row, and keeps its inputs."""

    def __init__(
        self, row=(0.0, 0.0, 1.0), *, name="fake", inputs=(PIXELS,), outputs=(SCORES,)
    ):
        self.name = name
        self.device = "cpu"
        self.warning = ""
        self.inputs = inputs
        self.outputs = outputs
        self.row = row
        self.batches = []

    def run(self, inputs):
        self.batches.append(inputs)
        (batch,) = inputs.values()
        scores = np.tile(np.array(self.row, np.float32), (len(batch), 1))
        return {spec.name: scores for spec in self.outputs}


class FailingBackend(FakeBackend):
    """A backend that fails on every batch."""

    def run(self, inputs):
        super().run(inputs)
        raise BackendError("it broke")
