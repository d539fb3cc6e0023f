"""The seam between the service and the engines: one model, loaded, in one engine.

Nothing here, and nothing behind it, knows of HTTP. The engines are imported when a
model needs them: a process that serves from ONNX Runtime never imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BackendError


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as in the SavedModel's serving signature, or of a frozen graph's node.
        dtype: numpy's; ``object`` for strings.
        shape: None for a free axis.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


class Backend(Protocol):
    """One model, loaded, in one engine; safe to call from several threads.

    Its memory is freed when the last request that holds it has ended.
    """

    @property
    def name(self) -> str:
        """The engine: ``onnxruntime`` or ``tensorflow``."""

    @property
    def device(self) -> str:
        """What really runs it: ``CPUExecutionProvider``, …, or ``cpu``."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs, as the signature names them, or the frozen graph's node."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, as the signature names them, or the frozen graph's node."""

    @property
    def warning(self) -> str:
        """A sentence that people should know of its answers; empty if there is none."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One batch, ``(N, …)`` each, by name.

        Raises:
            ShapeError: an input is missing, unknown, or has another dtype or shape.
            BackendError: the engine failed all the same.
        """


class InputRefused(BackendError):
    """The model runs, and does not take this input: an index without a row, say.

    Args:
        sentence: which engine says so.
        is_of_shapes: the engine says that two shapes do not meet.
    """

    def __init__(self, sentence: str, *, is_of_shapes: bool = False) -> None:
        super().__init__(sentence)
        self.is_of_shapes = is_of_shapes


def engine_of(backend: Backend) -> str:
    """``engine/device``, as replies and logs name it."""
    return f"{backend.name}/{backend.device}"
