"""Backends that answer what a function of their input gives, and proofs of them."""

import numpy as np

from bundle.params import Preprocess
from exporter.proof.parity import prove
from runtime.backends import TensorSpec
from tests.runtime.fakes import SCORES, FakeBackend

FLOAT = np.dtype(np.float32)
ROW = (TensorSpec("row", FLOAT, (None, 3)),)


def answering(function, inputs=None, name="onnxruntime"):
    """Return a backend that answers what a function of its input gives."""

    class Answering(FakeBackend):
        def run(self, inputs):
            (array,) = inputs.values()
            return {self.outputs[0].name: function(array)}

    return Answering(name=name, **({"inputs": inputs} if inputs else {}))


class Several(FakeBackend):
    """A backend of a row with an output for each function of it, named by a letter."""

    def __init__(self, functions, name):
        specs = [TensorSpec(each, SCORES.dtype, SCORES.shape) for each in functions]
        super().__init__(name=name, inputs=ROW, outputs=tuple(specs))
        self._functions = functions

    def run(self, inputs):
        return {name: each(inputs["row"]) for name, each in self._functions.items()}


def proved(onnx_path, answer, other, **options):
    """Return the proof of two functions of a row, with batches of one.

    Two dictionaries of functions are models with as many outputs.
    """
    if isinstance(answer, dict):
        backends = Several(answer, "tensorflow"), Several(other, "onnxruntime")
    else:
        backends = answering(answer, ROW, "tensorflow"), answering(other, ROW)
    options = {"batch_sizes": (1,), **options}
    return prove(*backends, onnx_path, Preprocess(), None, **options)


def constant(*row, dtype=np.float32):
    """Return a function that answers each item with this row, or this array."""
    return lambda rows: np.array([row] * len(rows), dtype)
