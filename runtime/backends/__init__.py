"""The interface between the service and the engines: one loaded model, in one engine.

Neither this package nor an engine knows of HTTP. An engine is imported when a model
needs it: a process that serves from ONNX Runtime never imports TensorFlow.
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
        name: the name in the SavedModel's serving signature, or of a frozen graph's
            node.
        dtype: numpy's dtype; ``object`` for strings.
        shape: its axes, N included; None is a free axis.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


class Backend(Protocol):
    """One loaded model in one engine; several threads may call it at once.

    Its memory is freed after the last request that uses it.
    """

    @property
    def name(self) -> str:
        """The engine's name: ``onnxruntime`` or ``tensorflow``."""

    @property
    def device(self) -> str:
        """The device that really runs it: ``CPUExecutionProvider``, …, or ``cpu``."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs, named as in the signature or as the frozen graph's node."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, named as in the signature or as the frozen graph's node."""

    @property
    def warning(self) -> str:
        """A sentence that people should know about its answers; empty if none."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run one batch.

        Args:
            inputs: an array ``(N, …)`` of each input's dtype, by the input's name.

        Returns:
            An array ``(N, …)`` of each output's dtype, by the output's name.

        Raises:
            ShapeError: an input is missing, unknown, or has another dtype or shape.
            BackendError: the inputs fit, and the engine failed.
        """


class InputRefused(BackendError):
    """The model can run, but not on this input: an index has no row, for example.

    Args:
        sentence: the error; it names the engine.
        is_of_shapes: whether the engine says that two shapes do not fit together.
    """

    def __init__(self, sentence: str, *, is_of_shapes: bool = False) -> None:
        super().__init__(sentence)
        self.is_of_shapes = is_of_shapes


def engine_of(backend: Backend) -> str:
    """Return ``engine/device``, the form of replies and logs."""
    return f"{backend.name}/{backend.device}"
