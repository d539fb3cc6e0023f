"""Runs a command that may do anything, and ends it: too long, too large, not wanted.

``python -m runtime.guard SECONDS BYTES COMMAND…`` with a pipe as standard input: who
holds the pipe's other end wants the command. When that is closed, if only because that
process was killed, the command and all that it started are killed too; and so they are
when it takes more than SECONDS, or all of it together more than BYTES of memory.

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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

# Beyond what the command itself exits with: 0 to 2, 130 and 143.
TOO_SLOW = 120
TOO_LARGE = 121
UNWANTED = 122

# How often the command is looked at. A process touches new memory at some 2 GB/s.
PAUSE_SECONDS = 0.1

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Run the command; the exit code."""
    seconds, max_bytes, *command = arguments
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
    # What is killed leaves its temporary files.
    with tempfile.TemporaryDirectory(
        prefix="tfaas-guard-", ignore_cleanup_errors=True
    ) as scratch:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": scratch},
            start_new_session=True,
            preexec_fn=lambda: _step_back(prctl, int(max_bytes)),  # no threads here
        )
        try:
            return _watch(process, float(seconds), int(max_bytes))
        finally:
            _end_all()


def _watch(process: subprocess.Popen[bytes], seconds: float, max_bytes: int) -> int:
    end = time.monotonic() + seconds
    while True:
        # Nothing is ever written there: it can be read when the other end is gone.
        if select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            return UNWANTED
        code = process.poll()
        if code is not None:
            return code if code >= 0 else 128 - code
        if time.monotonic() > end:
            return TOO_SLOW
        if _resident_bytes() > max_bytes:
            return TOO_LARGE


def _resident_bytes() -> int:
    total = 0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended
            total += child.memory_info().rss
    return total


def _end_all() -> None:
    """Kill every process below this one, until none is left that could start more."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=PAUSE_SECONDS)


def _step_back(prctl: Callable[[int, int], None], max_bytes: int) -> None:
    """In the command's process, before it is one: let everybody else go first."""
    # If this process is killed, which cannot be foreseen, its child goes with it.
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(19)
    # No file need be larger than the memory it was made in, and none tells of a crash.
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    with contextlib.suppress(psutil.Error, OSError):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    # A session of its own is a group of its own to Linux's scheduler, where groups
    # share alike whatever the niceness inside; and where memory runs out, this one is
    # to be killed, and not the service.
    for name, value in (("autogroup", "19"), ("oom_score_adj", "1000")):
        with contextlib.suppress(OSError):
            Path("/proc/self", name).write_text(value)


def _prctl() -> Callable[[int, int], None]:
    """Linux's prctl; elsewhere the end of the pipe must do."""
    if sys.platform != "linux":
        return lambda option, value: None
    function = ctypes.CDLL(None).prctl
    return lambda option, value: function(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
