"""Work in a child process: within limits, and nothing of it goes on if one side dies.

TensorFlow may crash, take all memory or never end on a model that somebody sent; here
that costs a child, and the parent a sentence. The parent never imports TensorFlow.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar, cast

import psutil

from exporter.errors import ExportError
from exporter.scratch import scratch

Tell = Callable[[str], None]
Job = TypeVar("Job")
Result = TypeVar("Result")

GIB = 1 << 30
# How often the child's memory is looked at, in seconds; it may outrun the limit by
# what it can fill meanwhile.
_LOOK = 0.1


@dataclass(frozen=True)
class Limits:
    """What a child may take.

    Attributes:
        seconds: of the clock. The kernel ends it then, whatever the parent does.
        memory_bytes: resident; None is no limit.
    """

    seconds: int = 3600
    memory_bytes: int | None = None


def run_in_child(
    work: Callable[[Job, Tell], Result],
    job: Job,
    *,
    limits: Limits,
    tell: Tell,
    verbose: bool = False,
) -> Result:
    """Run ``work(job, tell)`` in a process of its own.

    Args:
        work: a function of a module; it, ``job`` and the result are pickled.
        job: its argument.
        limits: what it may take.
        tell: called here with each step that the child calls its own ``tell`` with.
        verbose: let its standard error be seen.

    Returns:
        What ``work`` returned.

    Raises:
        DomainError: what ``work`` raised.
        ExportError: it died, went over a limit or broke off; the sentence says which.
    """
    with scratch() as folder, _started(folder, verbose) as (process, connection):
        try:
            connection.send((work, job, limits.seconds))
            while True:
                while not connection.poll(_LOOK if limits.memory_bytes else None):
                    _check_memory(process.pid, limits.memory_bytes)
                kind, value = connection.recv()
                if kind == "step":
                    tell(value)
                elif kind == "failed":
                    error, sentence = value
                    raise error(sentence)
                else:
                    return cast(Result, value)
        # Its end of the pipe is closed: it is dead, or about to be.
        except (EOFError, ConnectionError):
            raise ExportError(_death(process.wait(), limits)) from None


@contextmanager
def _started(
    folder: Path, verbose: bool
) -> Iterator[tuple[subprocess.Popen[Any], Connection]]:
    ours, theirs = multiprocessing.Pipe()
    environment = dict(os.environ)
    # What can be imported here can be there, and nothing else: -P keeps the working
    # folder out, which may be anybody's.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    # TensorFlow leaves the code that it generates, and a child that is killed all else.
    environment["TMPDIR"] = str(folder)
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    stderr = None if verbose else subprocess.DEVNULL
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "exporter.worker", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__ if verbose else subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[theirs.fileno()],
            env=environment,
            # Ctrl-C in a terminal reaches the parent alone, which then ends the child.
            start_new_session=True,
        )
        try:
            # Or its death would not be seen as the end of the pipe.
            theirs.close()
            yield process, ours
        finally:
            process.kill()
            process.wait()


def _check_memory(pid: int, limit: int | None) -> None:
    try:
        used = psutil.Process(pid).memory_info().rss
    except psutil.NoSuchProcess:
        return
    if limit is not None and used > limit:
        raise ExportError(
            f"the work took more than {limit / GIB:g} GiB of memory and was"
            " ended (--memory-limit)"
        )


def _death(code: int, limits: Limits) -> str:
    if code == -signal.SIGALRM:
        return (
            f"the work took longer than {limits.seconds} s and was ended (--time-limit)"
        )
    if code == -signal.SIGKILL:
        return (
            "the work was killed (SIGKILL): somebody ended it, or the machine ran"
            " out of memory"
        )
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"the work crashed ({how}); -v shows what it said last"
