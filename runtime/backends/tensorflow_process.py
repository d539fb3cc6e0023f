"""TensorFlow for the service's workers: each model has a process of its own.

A stranger's SavedModel is a program. It runs behind walls: a crash, an endless loop or
too much memory ends its process alone, and the next request starts a new one. The
service's workers never import TensorFlow, which takes half a gigabyte and many threads.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray

from bundle.folder import Bundle
from runtime import walls
from runtime.backends.model_process import ModelProcess, ProcessDied
from runtime.backends.saved_model import require_tensorflow
from runtime.backends.session_config import SessionConfig
from runtime.backends.tensors import check_inputs
from runtime.config import Walls
from runtime.errors import BackendError
from runtime.process.forkserver import ForkServer
from runtime.process.guard import Limits
from runtime.telemetry import metrics

logger = logging.getLogger(__name__)

# The process's memory is measured so often; nobody waits for this process to end.
_LOOK_SECONDS = 1.0
# If a process dies during a request, a new process gets the request once more: another
# request may have killed the first one.
_TRIES = 2
# If no new process can be started, requests are refused at once for so long, because
# each start may take minutes with a large model.
_RETRY_SECONDS = 10.0


class TensorFlowProcesses:
    """Opens models in TensorFlow, each in a process of its own.

    Args:
        server: the fork server that starts them; ``tensorflow_child`` is one of its
            modules.
        session: TensorFlow's settings.
        seconds: the time that a model may take to open.
        run_seconds: the time that one run of a model may take.
        max_bytes: the memory of one process, in bytes.
        policy: the policy on the walls around each process.
        user: the user that each process becomes, where the service runs as root.
    """

    def __init__(
        self,
        server: ForkServer,
        session: SessionConfig,
        *,
        seconds: float,
        run_seconds: float,
        max_bytes: int,
        policy: Walls = "auto",
        user: str = "",
    ) -> None:
        self._server = server
        self._seconds = (seconds, run_seconds)
        self._policy = policy
        self._limits = Limits(float("inf"), max_bytes, 0, _LOOK_SECONDS)
        self._order = {
            "session": base64.b64encode(session.content).decode(),
            "threads": session.threads,
            "max_bytes": max_bytes,
            "policy": policy,
            "user": user,
        }

    def open(self, bundle: Bundle, niceness: int = 0) -> TensorFlowProcess:
        """Open a bundle's frozen graph or SavedModel.

        Args:
            bundle: the bundle.
            niceness: the number by which the process steps back behind others, 0 to 19,
                if nobody waits for its answers.

        Raises:
            BackendError: TensorFlow is not installed, or cannot load or run the model.
            WallsError: walls are demanded, and cannot be put up here.
        """
        require_tensorflow()
        walls.demand(self._policy)
        path = str(bundle.path.absolute())
        order = {**self._order, "path": path, "niceness": niceness}
        start = partial(
            ModelProcess, self._server, json.dumps(order), self._limits, *self._seconds
        )
        return TensorFlowProcess(bundle.params.name, start)


class TensorFlowProcess:
    """One model, served by TensorFlow in a process of its own.

    If the process has died, the next request starts another one. If that start fails,
    requests get the same error for ten seconds.

    Args:
        model: the model's name, for the log.
        start: a function that starts a process which has opened the model.

    Raises:
        BackendError: the process does not start, or cannot load or run the model.
    """

    name = "tensorflow"

    def __init__(self, model: str, start: Callable[[], ModelProcess]) -> None:
        self._model = model
        self._start = start
        self._lock = threading.Lock()  # guards the process's replacement
        self._not_before, self._why = 0.0, ""
        self._process = start()
        self.device = self._process.device
        self.warning = self._process.warning
        self.inputs = self._process.inputs
        self.outputs = self._process.outputs

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See ``Backend.run``."""
        check_inputs(self.inputs, inputs)
        how = ""
        for _ in range(_TRIES):
            process = self._living()
            try:
                return process.ask(inputs)
            except ProcessDied as ex:
                how = str(ex)
                logger.warning(
                    "%s: TensorFlow's process %s; another takes its place; it said: %s",
                    self._model,
                    how,
                    process.said,
                )
                if ex.of_this_input:
                    break
        raise BackendError(f"TensorFlow failed on this input: its process {how}")

    def _living(self) -> ModelProcess:
        process = self._process
        if process.is_living:
            return process
        with self._lock:
            if not self._process.is_living:
                self._replace()
            return self._process

    def _replace(self) -> None:
        if time.monotonic() < self._not_before:
            raise BackendError(self._why)
        metrics.TENSORFLOW_RESTARTS.inc()
        try:
            self._process = self._start()
        except BackendError as ex:
            self._why = str(ex)
            self._not_before = time.monotonic() + _RETRY_SECONDS
            raise
