"""Attempts, made in child processes: what crashes costs its own row alone."""

from __future__ import annotations

import json
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import psutil

from bundle.errors import DomainError
from exporter.child.run import Limits, run_in_child
from tools.zoo.row import CRASHED, Attempt
from tools.zoo.trial import Task, Tell

CHILDREN = 2
# Of one attempt; the largest of keras.applications take some two minutes.
SECONDS = 400
# Models that one child tries: importing TensorFlow takes it four seconds, and each
# model leaves some memory behind. An application has a child of its own.
_MODELS = 30
_OWN_CHILD = ("applications",)

Work = Callable[[tuple[str, Sequence[Task], int], Tell], None]
_Put = Callable[[tuple[Task, Attempt]], None]


def attempts(
    work: Work, family: str, names: Sequence[str], seconds: int = SECONDS
) -> Iterator[tuple[Task, Attempt]]:
    """Try specimens in both ways, ``CHILDREN`` at a time.

    Args:
        work: see ``tools.zoo.trial.try_all``.
        family: whose specimens.
        names: of the specimens.
        seconds: that an attempt may take.

    Yields:
        Each attempt as it ends; ``ours`` of a specimen before ``alone``.
    """
    models = 1 if family in _OWN_CHILD else _MODELS
    waiting: queue.SimpleQueue[list[Task]] = queue.SimpleQueue()
    for start in range(0, len(names), models):
        some = names[start : start + models]
        waiting.put([(name, whose) for name in some for whose in ("ours", "alone")])
    ended: queue.SimpleQueue[tuple[Task, Attempt] | Exception] = queue.SimpleQueue()

    def take() -> None:
        try:
            while True:
                tasks = waiting.get_nowait()
                _try_all(work, family, tasks, seconds, ended.put)
        except queue.Empty:
            return
        except Exception as ex:
            ended.put(ex)

    for _ in range(CHILDREN):
        # Ctrl-C does not wait for them, and their children end with this process.
        threading.Thread(target=take, daemon=True).start()
    for _ in range(2 * len(names)):
        result = ended.get()
        if isinstance(result, Exception):
            raise result
        yield result


def _try_all(
    work: Work, family: str, tasks: Sequence[Task], seconds: int, put: _Put
) -> None:
    left = deque(tasks)

    def tell(line: str) -> None:
        put((left.popleft(), Attempt(**json.loads(line))))

    # The models are our own; and each attempt sets the clock anew, which no process can
    # do behind walls.
    memory = psutil.virtual_memory().total // CHILDREN
    limits = Limits(seconds, memory, walls="off")
    while left:
        job = (family, list(left), seconds)
        try:
            run_in_child(work, job, limits=limits, tell=tell)
        except DomainError as ex:
            if left:  # else it had told all, and died of something later
                put((left.popleft(), Attempt(CRASHED, str(ex))))
