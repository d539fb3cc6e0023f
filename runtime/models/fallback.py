"""The fallback: TensorFlow's engine, which answers where ONNX Runtime fails."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from runtime.backends import Backend, InputRefused
from runtime.errors import BackendError
from runtime.models.fitness import check_same_tensors
from runtime.models.joint_run import Inputs, Outputs
from runtime.models.pieces import joined
from runtime.telemetry import metrics
from runtime.telemetry.journey import Deadline

if TYPE_CHECKING:
    from runtime.models.model import Model

logger = logging.getLogger(__name__)

# A model that failed to open is tried again after so many seconds: perhaps the memory
# or the disk was full. Until then each request gets the error at once. Otherwise one
# broken model would hold all requests.
RETRY_SECONDS = 30.0


class Fallback:
    """The engine to fall back to, opened when it is first needed.

    Args:
        open_backend: the function that opens it; None if there is none.
        clock: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        open_backend: Callable[[], Backend] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._open_backend = open_backend
        self._clock = clock
        self._lock = threading.Lock()  # guards both below, and is held while it opens
        self._backend: Backend | None = None
        self._failed = -math.inf

    def open(self, model: Model) -> Backend | None:
        """Return the engine; None if there is none, or it cannot be opened.

        One that cannot be opened is tried again after a while.

        Args:
            model: the model, whose preferred engine must have the same tensors.
        """
        with self._lock:
            if self._backend is not None or self._open_backend is None:
                return self._backend
            if self._clock() - self._failed < RETRY_SECONDS:
                return None
            try:
                backend = self._open_backend()
                check_same_tensors(model.backend, backend)
                self._backend = backend
            except BackendError as ex:
                logger.warning("%s: no fallback: %s", model.name, ex)
                self._failed = self._clock()
            return self._backend

    def run(
        self,
        model: Model,
        ex: BackendError,
        pieces: Sequence[Inputs],
        deadline: Deadline | None,
    ) -> tuple[Outputs, Backend]:
        """Run a request on which the preferred engine failed; see ``Model.fall_back``.

        The model is an argument: if it and its fallback referred to each other, only
        Python's slow search for cycles would free their memory.
        """
        backend = self.open(model)
        if backend is None:
            raise ex
        logger.warning(
            "%s: %s; TensorFlow answers this request", model.name, ex, exc_info=ex
        )
        try:
            outputs = joined(
                [_run_piece(model, backend, piece, deadline) for piece in pieces]
            )
        except InputRefused:
            raise  # TensorFlow is asked last, and says whose fault it is
        except BackendError as second:
            raise BackendError(f"{ex}; {second}") from second
        if model.is_counted:
            metrics.FALLBACKS.labels(model.name, model.version, "request").inc()
        return outputs, backend


def _run_piece(
    model: Model,
    backend: Backend,
    piece: Inputs,
    deadline: Deadline | None,
) -> Outputs:
    if deadline is not None:
        deadline.check()
    return model.run_once(piece, backend)
