"""The counts about a model's answers; ``runtime.watching`` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

# An array ``(N, …)`` of the one input or the main output, or arrays by name.
Arrays: TypeAlias = NDArray[Any] | Mapping[str, NDArray[Any]]


class Watched(Protocol):
    """The counts of one model in memory."""

    def note(self, inputs: Arrays, outputs: Arrays) -> None:
        """Note a request that the model answered; never raise, and never wait.

        Args:
            inputs: the items that the request brought, of the dtypes of the inputs.
            outputs: the answers to these items, of the dtypes of the outputs.
        """
