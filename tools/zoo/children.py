"""Attempts in child processes, so that a crash costs only its own row."""

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
# An attempt may take this long; the largest of keras.applications take two minutes.
SECONDS = 400
# One child tries this many models. More would leave too much memory behind, and fewer
# would import TensorFlow, which takes four seconds, more often. Each application has a
# child of its own.
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
        family: the family of the specimens.
        names: the specimens' names.
        seconds: the longest time of an attempt.

    Yields:
        Each attempt as it ends; a specimen's ``ours`` comes before its ``alone``.
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
        # Ctrl-C does not wait for these threads, and their children end with this
        # process.
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

    # No walls are needed, because the models are this project's own. Walls would also
    # forbid the alarm that each attempt sets.
    memory = psutil.virtual_memory().total // CHILDREN
    limits = Limits(seconds, memory, walls="off")
    while left:
        job = (family, list(left), seconds)
        try:
            run_in_child(work, job, limits=limits, tell=tell)
        except DomainError as ex:
            if left:  # if none is left, it died after its last attempt
                put((left.popleft(), Attempt(CRASHED, str(ex))))
