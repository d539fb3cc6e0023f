"""Live parity: TensorFlow answers a share of the requests too, and is compared."""

from __future__ import annotations

import queue
from dataclasses import dataclass

from runtime.config import ParityFailure
from runtime.models.model import Model
from runtime.models.watched import Arrays
from runtime.process.daemon_thread import DaemonThread
from runtime.watching.parity_of_model import ParityOfModel
from runtime.watching.references import OpenReference, References

# So many requests may wait: enough for a burst, and few, because each keeps its arrays.
ROOM = 8


@dataclass(frozen=True)
class _Task:
    state: ParityOfModel
    model: Model
    inputs: Arrays
    outputs: Arrays


class LiveParity:
    """Compares answers on one thread; all models share it.

    Attributes:
        share: the argument of this name.
        on_failure: the argument of this name.

    Args:
        open_reference: opens a bundle in TensorFlow.
        share: the share of the requests that are compared, in percent.
        on_failure: whether a version that answers otherwise gives way to TensorFlow.
        room: the most requests that may wait; the others are dropped.
    """

    def __init__(
        self,
        open_reference: OpenReference,
        share: float,
        on_failure: ParityFailure = "warn",
        room: int = ROOM,
    ) -> None:
        self.share = share
        self.on_failure = on_failure
        self._references = References(open_reference)
        self._tasks: queue.Queue[_Task] = queue.Queue(room)
        self._thread = DaemonThread(self._work, "live parity")

    def begin(self, model: Model) -> ParityOfModel:
        """Return the state of a model that has just been loaded."""
        return ParityOfModel(model, self._references, self.share, self.on_failure)

    def offer(
        self, state: ParityOfModel, model: Model, inputs: Arrays, outputs: Arrays
    ) -> None:
        """Compare an answer later; never raise, and never wait."""
        try:
            self._tasks.put_nowait(_Task(state, model, inputs, outputs))
        except queue.Full:
            state.count("dropped")
            return
        self._thread.start()

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            task.state.compare(task.model, task.inputs, task.outputs)
            # The arrays and the model must not stay until the next task comes.
            del task
            self._tasks.task_done()
