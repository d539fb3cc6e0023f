"""Runs a command that may do anything, and ends it when it is too long or too large.

``python -m runtime.process.guard SECONDS BYTES NICENESS COMMAND…`` has a pipe as
standard input. The process at the pipe's other end wants the command. When that end is
closed, if only because that process was killed, the guard kills the command and all
that it started. It does the same when the command takes more than SECONDS, or all of it
together more than BYTES of memory. NICENESS, from 0 to 19, is its scheduling priority.

It exits as the command did, 128 and the signal if that was one, or with a code below.
A process of its own, and a small one: it outlives a service that is killed, and nothing
that a model does to the command reaches it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import psutil

from bundle.scratch import scratch_folder
from runtime.process.environment import scratch_environment

# Beyond what the command itself exits with: 0 to 2, 130 and 143.
TOO_SLOW = 120
TOO_LARGE = 121
UNWANTED = 122
# Nothing was started: no temporary file can be written; standard error says why.
NO_SCRATCH = 123

# A thread counts as so much, however little of its stack it touches: the kernel keeps
# some of it where no figure shows it, and has numbers for some thousands at times.
_THREAD_BYTES = 1 << 20

# Temporary files of one command. More are not counted, and end it.
_MAX_FILES = 10_000

# Of a file's size, as stat(2) tells it.
_BLOCK_BYTES = 512

# Of what a command writes, so many lines and characters are read at once, and then
# nothing for a while: who reads on as fast as somebody can write does nothing else. The
# pipe is full meanwhile, and the command waits.
_LINES_AT_ONCE = 2048
_CHARACTERS_AT_ONCE = 1 << 20

# How often what was killed is looked for.
_PAUSE_SECONDS = 0.1

# A third of what another group gets. Of less, a service that is always busy would
# never see its ONNX, which is there to relieve it: 19 is a seventieth.
GROUP_NICENESS = 5

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Limits:
    """What may be taken, by a process and all that it starts.

    Attributes:
        seconds: of time.
        max_bytes: of memory, and of temporary files.
        niceness: 0 to 19; above 0 it goes behind everything else.
        look_seconds: how often it is looked at. A process touches new memory at some
            2 GB/s; and each look costs a millisecond.
    """

    seconds: float
    max_bytes: int
    niceness: int
    look_seconds: float = 0.1


class Process(Protocol):
    """What is guarded: ``subprocess.Popen``, or what was forked."""

    pid: int

    def poll(self) -> int | None:
        """The exit code, negative if it was killed; None while it runs."""


# Starts the process, with an empty folder for its temporary files, and in it calls the
# other, before anything else.
Start = Callable[[Path, Callable[[], None]], Process]


def main(arguments: list[str]) -> int:
    """Run the command; the exit code."""
    seconds, max_bytes, niceness, *command = arguments

    def start(scratch: Path, step_back: Callable[[], None]) -> Process:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **scratch_environment(scratch)},
            start_new_session=True,
            # There are no threads here.
            preexec_fn=step_back,
        )

    limits = Limits(float(seconds), int(max_bytes), int(niceness))
    return guard(start, limits, sys.stdin.fileno())


def guard(start: Start, limits: Limits, wanted: int) -> int:
    """Start a process and end it; the exit code.

    To be called in a process that does nothing else, and in its main thread.

    Args:
        start: see there.
        limits: what it may take.
        wanted: a pipe whose other end is closed when nobody wants the process any more.
    """
    # The service's workers hold signals back, and nohup ignores one; neither is meant
    # for what is started here.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    prctl = _prctl()
    # What the command starts and leaves behind becomes a child of this process, and is
    # found.
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    own = os.getpid()
    with contextlib.ExitStack() as stack:
        try:
            # A process that is killed leaves its temporary files.
            scratch = stack.enter_context(scratch_folder("tfaas-guard"))
        except OSError as ex:
            sys.stderr.write(
                f"Error: no temporary file can be written in {tempfile.gettempdir()}:"
                f" {ex.strerror}; set TMPDIR to a folder that can be written\n"
            )
            return NO_SCRATCH
        process = start(scratch, lambda: _step_back(prctl, own, limits))
        try:
            return _watch(process, limits, wanted, scratch)
        finally:
            # Asked twice to end, it ends all the same what it started.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _end_all()


def _watch(process: Process, limits: Limits, wanted: int, scratch: Path) -> int:
    end = time.monotonic() + limits.seconds
    with _ending_of(process) as ending:
        while True:
            # Nothing is ever written to the pipe: it can be read when the other end is
            # gone.
            pause = limits.look_seconds
            if wanted in select.select([wanted, *ending], [], [], pause)[0]:
                return UNWANTED
            code = process.poll()
            if code is not None:
                return code if code >= 0 else 128 - code
            if time.monotonic() > end:
                return TOO_SLOW
            children = psutil.Process().children(recursive=True)
            files = _bytes_below(scratch) + sum(map(_nameless_bytes_of, children))
            if max(sum(map(_bytes_of, children)), files) > limits.max_bytes:
                return TOO_LARGE
            for child in children:
                if limits.niceness:
                    _put_last(child.pid)
                if child.pid != process.pid:
                    # Left by its parent, it ended here, and would keep its number.
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(child.pid, os.WNOHANG)


def lines_of(output: IO[str], length: int) -> Iterator[str]:
    """The lines that a command writes, until its end: some thousands a second.

    Args:
        output: a pipe.
        length: characters of a line; a longer one comes in several.
    """
    lines = characters = 0
    while line := output.readline(length):
        yield line
        lines += 1
        characters += len(line)
        if lines >= _LINES_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
            time.sleep(_PAUSE_SECONDS)
            lines = characters = 0


@contextlib.contextmanager
def _ending_of(process: Process) -> Iterator[list[int]]:
    """What can be read as soon as a process has ended, where there is such a thing."""
    try:
        ending = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        yield []
        return
    try:
        yield [ending]
    finally:
        os.close(ending)


def _bytes_of(process: psutil.Process) -> int:
    """What a process takes of the machine's memory, swapped out or not."""
    try:
        if sys.platform != "linux":
            return int(process.memory_info().rss)
        status = Path("/proc", str(process.pid), "status").read_text(errors="replace")
    except (psutil.Error, OSError):
        return 0  # it has ended
    lines = (line.split() for line in status.splitlines())
    told = {words[0]: words[1] for words in lines if len(words) > 1}
    # The memory's own tables too: a page of them for each place that is touched.
    kept = sum(int(told.get(n, 0)) for n in ("VmRSS:", "VmSwap:", "VmPTE:"))
    return (kept << 10) + (int(told.get("Threads:", 0)) - 1) * _THREAD_BYTES


def _bytes_below(folder: Path) -> float:
    """What files in a folder take of the disk; infinite if they cannot be counted."""
    count = size = 0
    folders = [os.fspath(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    count += 1
                    found = entry.stat(follow_symlinks=False)
                    size += found.st_blocks * _BLOCK_BYTES
                    if stat.S_ISDIR(found.st_mode):
                        folders.append(entry.path)
                    if count > _MAX_FILES:
                        return float("inf")
        # Files come and go meanwhile; the next look counts the rest.
        except (FileNotFoundError, NotADirectoryError):
            continue
        # It may not be listed, or is too deep: nobody else makes such folders.
        except OSError:
            return float("inf")
    return size


def _nameless_bytes_of(process: psutil.Process) -> int:
    """What a process has open of files without a name, on a disk or in memory."""
    size = 0
    # It has ended; or is another user's, in a container.
    with contextlib.suppress(OSError), os.scandir(f"/proc/{process.pid}/fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found = entry.stat()
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    size += found.st_blocks * _BLOCK_BYTES
    return size


def _put_last(pid: int) -> None:
    """A session is a group of its own to Linux's scheduler.

    Groups share alike, whatever the niceness inside; and the exporter's own child has
    another session.
    """
    group = Path("/proc", str(pid), "autogroup")
    # It has ended; there are no such groups; or the kernel, which allows ten such
    # changes a second, wants to be asked again.
    with contextlib.suppress(OSError):
        if not group.read_text().endswith(f" nice {GROUP_NICENESS}\n"):
            group.write_text(str(GROUP_NICENESS))


def _end_all() -> None:
    """Kill every process below this one, until none is left that could start more."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=_PAUSE_SECONDS)


def _step_back(prctl: Callable[[int, int], None], guard: int, limits: Limits) -> None:
    """In the command's process, before it is one: let everybody else go first."""
    # If this process is killed, which cannot be foreseen, its child goes with it.
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:  # it was killed already
        os.kill(os.getpid(), signal.SIGKILL)
    os.nice(limits.niceness)
    # No file need be larger than the memory it was made in, and none tells of a crash.
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.max_bytes, limits.max_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    if limits.niceness:
        _put_last(os.getpid())
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    # Where memory runs out, this one is to be killed, and not the service.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _prctl() -> Callable[[int, int], None]:
    """Linux's prctl; elsewhere the end of the pipe must do."""
    if sys.platform != "linux":
        return lambda option, value: None
    function = ctypes.CDLL(None).prctl
    return lambda option, value: function(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
