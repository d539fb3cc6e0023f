"""TensorFlow, which answers some requests too; nobody waits for its answers."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable

from bundle.folder import Bundle
from runtime.backends import Backend
from runtime.errors import BackendError
from runtime.models.fallback import RETRY_SECONDS
from runtime.models.fitness import check_same_tensors
from runtime.models.model import Model

# A function that opens a bundle in TensorFlow, in a process of low priority.
OpenReference = Callable[[Bundle], Backend]


class References:
    """One engine for each model that is compared; one thread asks for them.

    The process of a model ends when the model leaves memory.

    Args:
        open_reference: opens a bundle.
    """

    def __init__(self, open_reference: OpenReference) -> None:
        self._open = open_reference
        self._opened: weakref.WeakKeyDictionary[Model, Backend] = (
            weakref.WeakKeyDictionary()
        )
        self._failed: weakref.WeakKeyDictionary[Model, tuple[float, str]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, model: Model) -> Backend:
        """Return the engine of a model; it is opened when it is first needed.

        Raises:
            BackendError: it cannot be opened, or could not a short while ago, or its
                tensors are others.
        """
        reference = self._opened.get(model)
        if reference is not None:
            return reference
        failed_at, why = self._failed.get(model, (-math.inf, ""))
        if time.monotonic() < failed_at + RETRY_SECONDS:
            raise BackendError(why)
        try:
            reference = self._open(model.bundle)
            check_same_tensors(model.backend, reference)
        except BackendError as ex:
            self._failed[model] = time.monotonic(), str(ex)
            raise
        self._opened[model] = reference
        return reference

    def forget(self, model: Model) -> None:
        """End the process of a model."""
        self._opened.pop(model, None)
