"""Backends with memory, in place of engines."""

from __future__ import annotations

import numpy as np

from runtime.backends import TensorSpec
from runtime.errors import BackendError

PIXELS = TensorSpec("pixels", np.dtype(np.float32), (None, 2, 2, 1))
SCORES = TensorSpec("scores", np.dtype(np.float32), (None, 3))


class FakeBackend:
    """Answers each batch with a constant row, and keeps what it was asked."""

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
    """Fails on every batch."""

    def run(self, inputs):
        super().run(inputs)
        raise BackendError("it broke")
