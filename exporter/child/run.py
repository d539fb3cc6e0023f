"""Run work in a child process, within limits; the child never outlives its parent.

TensorFlow may crash, take all memory or never end on a stranger's model. Here that ends
a child process, and the parent gets a sentence. The child is behind ``runtime.walls``,
where it reads the model and writes into scratch folders. The parent never imports
TensorFlow, and accepts nothing but data from the child.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar, cast

import psutil

from bundle.errors import DomainError
from bundle.terminal import printable
from exporter.child.answer import read_answer
from exporter.child.scratch import scratch
from exporter.errors import (
    ExportError,
    MemoryLimitReached,
    TimeLimitReached,
    WorkFailed,
)
from runtime.config import Walls
from runtime.process.environment import child_environment, scratch_environment
from runtime.process.exit_code import signal_of
from runtime.walls import Room, demand, standing

Tell = Callable[[str], None]
Job = TypeVar("Job")
Result = TypeVar("Result")

GIB = 1 << 30
# The largest file that a child may write. The weights of a large model are one file.
MAX_FILE_BYTES = 64 * GIB
# The child's memory is looked at this often, in seconds. Between two looks it may grow
# beyond the limit.
_LOOK = 0.1


@dataclass(frozen=True)
class Limits:
    """The limits of a child process.

    Attributes:
        seconds: the kernel ends the child after so many seconds, whatever the parent
            does. None is no limit; then the process that started this one keeps the
            time.
        memory_bytes: the most resident memory, in bytes; None is no limit.
        walls: the policy for the walls around the child, see ``runtime.walls.enclose``.
        user: the user that the child becomes if this process is root's; empty is no
            other.
        answer_bytes: the largest answer; it may hold a batch of images.
        grace_seconds: the parent ends the child so many seconds after the kernel's own
            clock should have.
    """

    seconds: int | None = 3600
    memory_bytes: int | None = None
    walls: Walls = "auto"
    user: str = ""
    answer_bytes: int = GIB
    grace_seconds: float = 10.0


def run_in_child(
    work: Callable[[Job, Tell], Result],
    job: Job,
    *,
    limits: Limits,
    tell: Tell,
    verbose: bool = False,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
) -> Result:
    """Run ``work(job, tell)`` in its own process.

    Args:
        work: a function of a module. The function, ``job`` and the result are pickled.
        job: the argument of ``work``.
        limits: the limits of the child.
        tell: is called here with each step that the child passes to its own ``tell``.
        verbose: show the child's standard error.
        reads: files and folders that the child may read, besides Python's.
        writes: folders that the child may write into, besides one for temporary files.

    Returns:
        The result of ``work``.

    Raises:
        DomainError: ``work`` raised it.
        ExportError: the work broke off, or its answer is not allowed.
        WorkFailed: the child died, or went over a limit; the sentence says which.
        WallsError: walls are required, and this kernel does not have them.
    """
    demand(limits.walls)
    if limits.walls != "off" and standing().landlock:
        _refuse_links(reads)
    with (
        scratch() as folder,
        _started(folder, verbose) as (process, connection),
        _ended_late(process, limits) as is_late,
    ):
        try:
            own = tuple(path.absolute() for path in (folder, *writes))
            read = tuple(path.absolute() for path in reads)
            room = Room(read, own, MAX_FILE_BYTES, limits.user)
            # The walls must be built before engines are imported, because engines start
            # threads. These are plain classes of our own; the job would import engines.
            connection.send((room, limits.walls, limits.seconds))
            connection.send((work, job))
            while True:
                while not connection.poll(_LOOK if limits.memory_bytes else None):
                    _check_memory(process.pid, limits.memory_bytes)
                kind, value = _parts(connection.recv_bytes(limits.answer_bytes))
                if kind == "step":
                    # A terminal could take some characters of the child's text for a
                    # command.
                    tell(printable(str(value)))
                elif kind == "failed":
                    error, sentence = _parts_of_a_refusal(value)
                    raise error(sentence)
                else:
                    return cast(Result, value)
        except UnpicklingError as ex:
            raise ExportError(f"the answer of the work is not allowed: {ex}") from ex
        # The child's end of the pipe is closed, so it is dead or about to die.
        except (EOFError, ConnectionError):
            code = -signal.SIGALRM if is_late() else process.wait()
            raise _death(code, limits) from None
        # The pipe raises this when a message is too long.
        except OSError as ex:
            raise ExportError(f"the answer of the work is not allowed: {ex}") from ex


def _parts(answer: bytes) -> tuple[str, Any]:
    """The kind and the value of an answer."""
    match read_answer(answer):
        case ("step" | "failed" | "done" as kind, value):
            return kind, value
    raise UnpicklingError("its kind is unknown")


def _parts_of_a_refusal(value: Any) -> tuple[type[DomainError], str]:
    match value:
        case (type() as error, str(sentence)) if issubclass(error, DomainError):
            return error, sentence
    raise UnpicklingError("it names no error")


def _refuse_links(reads: Sequence[Path]) -> None:
    """Check that all files of a model can be read behind walls.

    Links out of the model are refused: in a stranger's archive they may lead to any
    file.

    Raises:
        ExportError: a link leads to a file that may not be read.
    """
    roots = [path.resolve() for path in reads]
    for folder in roots:
        for parent, folders, files in os.walk(folder):
            for path in (Path(parent, name) for name in (*folders, *files)):
                if path.is_symlink() and not any(
                    path.resolve().is_relative_to(root) for root in roots
                ):
                    raise ExportError(
                        f"{path} is a link to what lies outside of the model, and the"
                        " work behind walls may not read that; copy the model without"
                        " links (cp -rL)"
                    )


@contextmanager
def _ended_late(
    process: subprocess.Popen[Any], limits: Limits
) -> Iterator[Callable[[], bool]]:
    """End the child if it has switched off the kernel's own clock.

    Args:
        process: the child.
        limits: its limits, with the seconds of the kernel's clock.

    Yields:
        A function that tells whether the child was ended here.
    """
    late = threading.Event()
    if limits.seconds is None:
        yield late.is_set
        return

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limits.seconds + limits.grace_seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late.is_set
    finally:
        timer.cancel()


@contextmanager
def _started(
    folder: Path, verbose: bool
) -> Iterator[tuple[subprocess.Popen[Any], Connection]]:
    ours, theirs = multiprocessing.Pipe()
    # TensorFlow leaves the code that it generates, and a killed child leaves all of its
    # temporary files.
    environment = {**child_environment(), **scratch_environment(folder)}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    stderr = None if verbose else subprocess.DEVNULL
    with ours, theirs:
        process = subprocess.Popen(
            # -P keeps Python from importing modules of the working folder, which may be
            # anybody's.
            [sys.executable, "-P", "-m", "exporter.child.worker", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__ if verbose else subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[theirs.fileno()],
            env=environment,
            # Ctrl-C in a terminal reaches only the parent, which then ends the child.
            start_new_session=True,
        )
        try:
            # If this end stayed open, the child's death would not close the pipe.
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
        raise MemoryLimitReached(
            f"the work took more than {limit / GIB:g} GiB of memory and was"
            " ended (--memory-limit)"
        )


def _death(code: int, limits: Limits) -> WorkFailed:
    if code == -signal.SIGALRM and limits.seconds is not None:
        return TimeLimitReached(
            f"the work took longer than {limits.seconds} s and was ended (--time-limit)"
        )
    if code == -signal.SIGKILL:
        return WorkFailed(
            "the work was killed (SIGKILL): somebody ended it, or the machine ran"
            " out of memory"
        )
    how = signal_of(code) or f"exit code {code}"
    return WorkFailed(f"the work crashed ({how}); -v shows what it said last")
