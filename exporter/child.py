"""Work in a child process: within limits, and nothing of it goes on if one side dies.

TensorFlow may crash, take all memory or never end on a model that somebody sent; here
that costs a child, and the parent a sentence. Whatever else such a model does, it does
behind ``runtime.walls``: the child reads the model and writes into scratch folders. The
parent never imports TensorFlow, and takes nothing but data from the child.
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
from exporter.answer import read_answer
from exporter.errors import ExportError
from exporter.scratch import scratch
from runtime.config import Walls
from runtime.process.environment import child_environment, scratch_environment
from runtime.process.exit_code import signal_of
from runtime.walls import Room, demand, standing

Tell = Callable[[str], None]
Job = TypeVar("Job")
Result = TypeVar("Result")

GIB = 1 << 30
# The size of any file that a child writes; a large model's weights are one file.
MAX_FILE_BYTES = 64 * GIB
# How often the child's memory is looked at, in seconds; it may outrun the limit by
# what it can fill meanwhile.
_LOOK = 0.1


@dataclass(frozen=True)
class Limits:
    """What a child may take.

    Attributes:
        seconds: of the clock. The kernel ends it then, whatever the parent does.
        memory_bytes: resident; None is no limit.
        walls: the policy on those around it, see ``runtime.walls.enclose``.
        user: whom it becomes, where this process is root's; empty is as it is.
        answer_bytes: of its answer, which may hold a batch of images.
        grace_seconds: after ``seconds``, until this process ends it, too.
    """

    seconds: int = 3600
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
    """Run ``work(job, tell)`` in a process of its own.

    Args:
        work: a function of a module; it, ``job`` and the result are pickled.
        job: its argument.
        limits: what it may take.
        tell: called here with each step that the child calls its own ``tell`` with.
        verbose: let its standard error be seen.
        reads: files and folders that it may read, besides Python's.
        writes: folders that it may write into, besides one for temporary files.

    Returns:
        What ``work`` returned.

    Raises:
        DomainError: what ``work`` raised.
        ExportError: it died, went over a limit or broke off; the sentence says which.
        WallsError: walls are demanded, and do not stand here.
    """
    demand(limits.walls)
    if limits.walls != "off" and standing().landlock:
        _refuse_links(reads)
    with (
        scratch() as folder,
        _started(folder, verbose) as (process, connection),
        _ended_late(process, limits.seconds + limits.grace_seconds) as is_late,
    ):
        try:
            own = tuple(path.absolute() for path in (folder, *writes))
            read = tuple(path.absolute() for path in reads)
            room = Room(read, own, MAX_FILE_BYTES, limits.user)
            # Plain classes of our own: what the job is made of imports engines, which
            # start threads, and walls are built before.
            connection.send((room, limits.walls, limits.seconds))
            connection.send((work, job))
            while True:
                while not connection.poll(_LOOK if limits.memory_bytes else None):
                    _check_memory(process.pid, limits.memory_bytes)
                kind, value = _parts(connection.recv_bytes(limits.answer_bytes))
                if kind == "step":
                    # Without characters that a terminal takes for a command.
                    tell(printable(str(value)))
                elif kind == "failed":
                    error, sentence = _parts_of_a_refusal(value)
                    raise error(sentence)
                else:
                    return cast(Result, value)
        except UnpicklingError as ex:
            raise ExportError(f"the work answered what it may not: {ex}") from ex
        # Its end of the pipe is closed: it is dead, or about to be.
        except (EOFError, ConnectionError):
            code = -signal.SIGALRM if is_late() else process.wait()
            raise ExportError(_death(code, limits)) from None
        # The pipe's error: a message is too long.
        except OSError as ex:
            raise ExportError(f"the work answered what it may not: {ex}") from ex


def _parts(answer: bytes) -> tuple[str, Any]:
    """An answer's kind, and what it says."""
    match read_answer(answer):
        case ("step" | "failed" | "done" as kind, value):
            return kind, value
    raise UnpicklingError("it is of no kind that there is")


def _parts_of_a_refusal(value: Any) -> tuple[type[DomainError], str]:
    match value:
        case (type() as error, str(sentence)) if issubclass(error, DomainError):
            return error, sentence
    raise UnpicklingError("it is no refusal")


def _refuse_links(reads: Sequence[Path]) -> None:
    """See that all files of a model can be read.

    Links are not followed: in somebody else's archive they may lead to any file.

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
    process: subprocess.Popen[Any], seconds: float
) -> Iterator[Callable[[], bool]]:
    """End the child where it has put the kernel's own clock out of action.

    Yields:
        Tells whether that was done.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
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
    # TensorFlow leaves the code that it generates, and a child that is killed all else.
    environment = {**child_environment(), **scratch_environment(folder)}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    stderr = None if verbose else subprocess.DEVNULL
    with ours, theirs:
        process = subprocess.Popen(
            # -P keeps the working folder out, which may be anybody's.
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
    how = signal_of(code) or f"exit code {code}"
    return f"the work crashed ({how}); -v shows what it said last"
