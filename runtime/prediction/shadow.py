"""The shadow: a version that runs beside the one that answers, and is compared."""

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

# Requests that may wait: enough for a burst, and few, as each keeps its arrays.
ROOM = 8

# Numbers that are no classes' scores agree if they differ by no more than this of the
# answered one, or by as much near 0. Two versions are two trainings: closer is chance.
CLOSE = 0.01

# How long the end of the process waits for the run that is under way: an engine whose
# thread Python ends in the middle may take the process down with an error.
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
    """Runs a label's version on requests that another one answered, on one thread.

    Args:
        registry: gives the shadow version.
        store: says which version the label points to.
        label: config.json's ``shadow``; nothing is done if it is empty.
        room: requests that may wait for the thread; the rest are dropped.
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
        """Compare an answer with the shadow's, later; never raises, never waits.

        Args:
            name: the model's.
            model: the version that answered.
            inputs_for: makes the request's inputs anew, for the shadow version.
            outputs: ``(N, …)``, what was answered with.
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

    def _end(self) -> None:
        while True:
            try:
                self._tasks.get_nowait()
            except queue.Empty:
                break
        with contextlib.suppress(queue.Full):  # a request slipped in
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
        # Whatever it trips over is the shadow's, and must not end this thread.
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
    """The best class of each row, by its label; None if the model tells no classes."""
    labels = model.bundle.labels
    if not labels:
        return None
    scores = rows.reshape(len(rows), -1)
    # One score alone tells between two classes.
    best = scores[:, 0] >= 0.5 if scores.shape[1] == 1 else scores.argmax(axis=1)
    return [labels[int(n)] if int(n) < len(labels) else str(int(n)) for n in best]
