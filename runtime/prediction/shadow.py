"""The shadow: a version that runs after the one that answers, and is compared."""

from __future__ import annotations

import atexit
import contextlib
import logging
import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import DomainError
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.version import Version
from runtime.errors import BackendError
from runtime.models.model import Model
from runtime.models.registry import ModelRegistry
from runtime.process.daemon_thread import DaemonThread
from runtime.telemetry import metrics
from runtime.telemetry.once import Once

logger = logging.getLogger(__name__)

# So many requests may wait: enough for a burst, and few, because each keeps its arrays.
ROOM = 8

# Numbers that are not scores of classes agree if they differ by no more than this share
# of the answer, or by this number near 0. Two trainings never agree more closely.
CLOSE = 0.01

# The end of the process waits so long for the current run: if Python ends an engine's
# thread in the middle, the process may fail with an error.
END_SECONDS = 1.0

InputsFor = Callable[[Model], Mapping[str, NDArray[Any]]]


@dataclass(frozen=True)
class _Task:
    version: Version
    model: Model
    inputs_for: InputsFor
    outputs: NDArray[Any]

    def count(self, agreed: str) -> None:
        metrics.SHADOW.labels(
            self.version.name, self.model.version, self.version.number, agreed
        ).inc()


class Shadow:
    """Runs a label's version, on one thread, on requests that another version answered.

    Args:
        registry: the registry, which gives the shadow version.
        store: the store, which tells the label's version.
        label: config.json's ``shadow``; empty for no shadow.
        room: the most requests that may wait for the thread; the rest are dropped.
    """

    def __init__(
        self, registry: ModelRegistry, store: ModelStore, label: str, room: int = ROOM
    ) -> None:
        self._registry = registry
        self._store = store
        self._label = label
        self._tasks: queue.Queue[_Task | None] = queue.Queue(room)
        self._thread = DaemonThread(self._work, "shadow")
        self._once = Once()

    def offer(
        self, name: str, model: Model, inputs_for: InputsFor, outputs: NDArray[Any]
    ) -> None:
        """Compare an answer with the shadow's later; never raise, and never wait.

        Args:
            name: the model's name.
            model: the version that answered.
            inputs_for: the function that makes the request's inputs anew, for the
                shadow version: arrays ``(N, …)`` by name.
            outputs: the main output that was answered, ``(N, …)`` of its dtype.
        """
        if not self._label:
            return
        try:
            version = self._store.pointed(name, self._label)
        except DomainError as ex:
            logger.warning("%s: no shadow: %s", name, ex)
            return
        if version is None or version.number == model.version:
            return
        task = _Task(version, model, inputs_for, np.atleast_1d(outputs))
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            task.count("dropped")
            return
        if not self._thread.was_started:
            # Two requests at once may register it twice, which does no harm.
            atexit.register(self._end)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, drop those that wait, and end the thread."""
        self._label = ""
        atexit.unregister(self._end)
        self._end()

    def _end(self) -> None:
        while True:
            try:
                self._tasks.get_nowait()
            except queue.Empty:
                break
        with contextlib.suppress(queue.Full):  # a request came between
            self._tasks.put_nowait(None)
        self._thread.join(END_SECONDS)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.count(self._compare(task))

    def _compare(self, task: _Task) -> str:
        name, number = task.version.name, task.version.number
        try:
            if self._store.pointed(name, self._label) != task.version:
                return "dropped"  # the label was moved, or taken away
            shadow = self._registry.get(ModelSpec(name, label=self._label))
            if shadow.version != number:
                why = self._registry.failure(name, number)
                raise BackendError(why or "another version stands in for it")
            outputs, _ = shadow.run(task.inputs_for(shadow))
            # A model with a fixed batch answers more rows than there were items.
            theirs = np.atleast_1d(outputs[shadow.output.name])[: len(task.outputs)]
            ours_best = _best(task.model, task.outputs)
            theirs_best = _best(shadow, theirs)
            if ours_best is None or theirs_best is None:
                close = np.isclose(theirs, task.outputs, rtol=CLOSE, atol=CLOSE)
                agreed = bool(close.all())
                shown = "numbers"
            else:
                differing = [
                    pair
                    for pair in zip(ours_best, theirs_best, strict=True)
                    if pair[0] != pair[1]
                ]
                agreed = not differing
                shown = ", ".join(f"{one} and not {two}" for one, two in differing[:4])
        # Every error is the shadow's, and must not end this thread.
        except Exception as ex:
            said = f"{name}: shadow version {number} failed: {ex}"
            if self._once.is_news(said):
                logger.warning(said, exc_info=ex)
            return "failed"
        self._once.forget()
        if agreed:
            return "yes"
        logger.info(
            "%s version %s and shadow version %d disagree: %s",
            name,
            task.model.version,
            number,
            shown,
        )
        return "no"


def _best(model: Model, rows: NDArray[Any]) -> list[str] | None:
    """Return the best class of each row, by its label; None without labels."""
    labels = model.bundle.labels
    if not labels:
        return None
    scores = rows.reshape(len(rows), -1)
    # A single score decides between two classes.
    best = scores[:, 0] >= 0.5 if scores.shape[1] == 1 else scores.argmax(axis=1)
    return [labels[int(n)] if int(n) < len(labels) else str(int(n)) for n in best]
