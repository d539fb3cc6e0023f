"""Runs a command that may do anything, and ends it if it goes over its limits.

``python -m runtime.process.guard SECONDS BYTES NICENESS COMMAND…`` has a pipe as
standard input. The process at the pipe's other end wants the command. When that end is
closed, even because that process was killed, the guard kills the command and all
processes that it started. It does the same when the command takes more than SECONDS, or
all its processes together more than BYTES of memory. NICENESS, from 0 to 19, is its
scheduling priority.

The guard exits with the command's exit code, with 128 plus the signal that ended the
command, or with one of the codes below. It is a small process of its own. So it
outlives a service that is killed, and a model that harms the command cannot harm it.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import psutil

from bundle.scratch import scratch_folder
from runtime.process.environment import scratch_environment

# The command itself exits with 0 to 2, 130 or 143.
TOO_SLOW = 120
TOO_LARGE = 121
UNWANTED = 122
# No command was started, because no temporary file can be written; standard error says
# why.
NO_SCRATCH = 123

# A thread counts as so many bytes, even if it uses less of its stack. The kernel keeps
# memory for it that no figure shows, and may have ids for only some thousand threads.
_THREAD_BYTES = 1 << 20

# A command may have so many temporary files. More are not counted, and end the command.
_MAX_FILES = 10_000

# stat(2) tells a file's size in blocks of so many bytes.
_BLOCK_BYTES = 512

# So many lines and characters of a command's output are read at once, and then nothing
# for a while. A reader that never pauses would do nothing else if the command writes
# without end. Meanwhile the pipe is full, and the command waits.
_LINES_AT_ONCE = 2048
_CHARACTERS_AT_ONCE = 1 << 20

# The guard waits so many seconds for killed processes before it looks again.
_PAUSE_SECONDS = 0.1

# With this niceness a group gets a third of another group's time. With 19 it would get
# a seventieth: a service that is always busy would never get the ONNX that relieves it.
GROUP_NICENESS = 5

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Limits:
    """The limits of a process together with all processes that it starts.

    Attributes:
        seconds: the time, in seconds.
        max_bytes: the bytes of memory, and also those of temporary files.
        niceness: 0 to 19; above 0, all other processes come first.
        look_seconds: the time between two looks. A process touches new memory at some
            2 GB/s, and each look costs a millisecond.
    """

    seconds: float
    max_bytes: int
    niceness: int
    look_seconds: float = 0.1


# A person at a terminal waits for the command, and ends it when it takes too long.
UNLIMITED = Limits(seconds=math.inf, max_bytes=sys.maxsize, niceness=0)


def guarded(command: Sequence[str], limits: Limits) -> list[str]:
    """Return the command of a guard for another command; see above.

    The environment must let it import this package.
    """
    told = (str(limits.seconds), str(limits.max_bytes), str(limits.niceness))
    # -P: modules of the same name in the working folder are not imported.
    return [sys.executable, "-P", "-m", __name__, *told, *command]


class Process(Protocol):
    """A guarded process: a ``subprocess.Popen``, or a forked one."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit code, negative if it was killed; None while it runs."""


# A function that starts the process, with an empty folder for its temporary files. It
# calls the function that it is given first of all in that process.
Start = Callable[[Path, Callable[[], None]], Process]


def main(arguments: list[str]) -> int:
    """Run the command and return the exit code."""
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
    """Start a process, end it, and return the exit code.

    Call it in the main thread of a process that does nothing else.

    Args:
        start: the function that starts the process; see ``Start``.
        limits: the limits of the process.
        wanted: a pipe whose other end is closed when nobody wants the process any more.
    """
    # The service's workers block signals, and nohup ignores one; the new process must
    # get all of them.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    prctl = _prctl()
    # A process that the command starts and leaves behind becomes a child of this
    # process, and is found.
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    own = os.getpid()
    with contextlib.ExitStack() as stack:
        try:
            # The guard removes the files, because a killed process leaves them.
            scratch = stack.enter_context(scratch_folder("tfaas-guard"))
            # The command may give a folder in it to another user, who must get through.
            scratch.chmod(0o711)
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
            # A second request to end must not stop this.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _end_all()


def _watch(process: Process, limits: Limits, wanted: int, scratch: Path) -> int:
    end = time.monotonic() + limits.seconds
    with _ending_of(process) as ending:
        while True:
            # Nothing is ever written to the pipe, so it can be read only when the other
            # end is closed.
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
                    # A child that its parent left ends here, and would keep its number.
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(child.pid, os.WNOHANG)


def lines_of(output: IO[str], length: int) -> Iterator[str]:
    """Give the lines that a command writes until its end, some thousands a second.

    Args:
        output: a pipe.
        length: the most characters of a line; a longer line is given in pieces.
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
    """Give a file that can be read when a process has ended, if the system has one."""
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
    """Return the bytes of memory that a process takes, swapped out or not."""
    try:
        if sys.platform != "linux":
            return int(process.memory_info().rss)
        status = Path("/proc", str(process.pid), "status").read_text(errors="replace")
    except (psutil.Error, OSError):
        return 0  # it has ended
    lines = (line.split() for line in status.splitlines())
    told = {words[0]: words[1] for words in lines if len(words) > 1}
    # The page tables count too: there is a page of them for each place that is touched.
    kept = sum(int(told.get(n, 0)) for n in ("VmRSS:", "VmSwap:", "VmPTE:"))
    return (kept << 10) + (int(told.get("Threads:", 0)) - 1) * _THREAD_BYTES


def _bytes_below(folder: Path) -> float:
    """Return the bytes of the files in a folder; infinite if they cannot be counted."""
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
        # The folder cannot be listed, or is too deep; no honest program makes such.
        except OSError:
            return float("inf")
    return size


def _nameless_bytes_of(process: psutil.Process) -> int:
    """Return the bytes of a process's open files that have no name."""
    size = 0
    # The process may have ended, or may be another user's, in a container.
    with contextlib.suppress(OSError), os.scandir(f"/proc/{process.pid}/fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found = entry.stat()
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    size += found.st_blocks * _BLOCK_BYTES
    return size


def _put_last(pid: int) -> None:
    """Give a process's session less time than others.

    Linux's scheduler treats a session as a group. Groups get the same time, whatever
    the niceness of their processes; and the exporter's own child has another session.
    """
    group = Path("/proc", str(pid), "autogroup")
    # The process may have ended, or the kernel has no such groups, or it allows no
    # further change now (it allows ten a second) and is asked again later.
    with contextlib.suppress(OSError):
        if not group.read_text().endswith(f" nice {GROUP_NICENESS}\n"):
            group.write_text(str(GROUP_NICENESS))


def _end_all() -> None:
    """Kill every process below this one, until none is left that could start others."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=_PAUSE_SECONDS)


def _step_back(prctl: Callable[[int, int], None], guard: int, limits: Limits) -> None:
    """Run in the new process, before the command: let all other processes go first."""
    # If the guard is killed, which it cannot foresee, its child is killed with it.
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:  # the guard was killed already
        os.kill(os.getpid(), signal.SIGKILL)
    os.nice(limits.niceness)
    # No file needs to be larger than the memory it comes from, and no core is dumped.
    # Nobody may raise a limit that the process has already.
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if hard == resource.RLIM_INFINITY or limits.max_bytes < hard:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.max_bytes, limits.max_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    if limits.niceness:
        _put_last(os.getpid())
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    # If memory runs out, the kernel should kill this process, and not the service.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _prctl() -> Callable[[int, int], None]:
    """Return Linux's prctl; elsewhere only the end of the pipe ends the command."""
    if sys.platform != "linux":
        return lambda option, value: None
    function = ctypes.CDLL(None).prctl
    return lambda option, value: function(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
