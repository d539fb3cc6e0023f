"""A process that has imported its children's modules, and forks one for each order.

To start Python and import an engine takes half a second of a core; to open a small
model takes some hundredths. The standard library's fork server also imports the program
that was started, and never ends. This one imports only the modules that it is given,
and ends when nobody has asked for a while.

Each child is under ``runtime.process.guard``, which ends it. A child cannot reach the
service: it is a separate process, as if it had been started by itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from runtime.process import guard
from runtime.process.environment import scratch_environment
from runtime.process.guard import Limits

# The number of bytes of an order comes before the order.
_LENGTH = struct.Struct("!I")
# Ends of three pipes come with an order: one that is closed when nobody wants the child
# any more, one for its output, and one for its exit code.
_PIPES = 3
# A child gets at most so many further descriptors.
_MAX_DESCRIPTORS = 4
# This answer means that an order was taken, and a process forked for it.
_TAKEN = b"+"
# An idle process may end, or be killed, just when it is asked. A new process does not,
# because it has an order from its start.
_TRIES = 2


class NotStarted(Exception):
    """No process was forked: the process that forks ended each time it was asked."""


class ForkServer:
    """Starts children whose modules are imported already.

    Args:
        modules: the modules. Each has ``prepare()``, which imports everything that its
            children will need and starts no thread, and ``main(order, *descriptors)``,
            which a child runs.
        environment: the environment variables of the process.
        idle_seconds: the process ends after so long without a child, because it takes
            memory. While it has a child, the two share nearly all of it.
    """

    def __init__(
        self,
        modules: Sequence[str],
        environment: Mapping[str, str],
        idle_seconds: float = 60,
    ) -> None:
        self._modules = tuple(modules)
        self._arguments = (str(idle_seconds), *self._modules)
        self._environment = environment
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        order: str,
        limits: Limits,
        descriptors: Sequence[int] = (),
        *,
        module: str = "",
    ) -> Child:
        """Start a child; a ``with`` block ends it.

        Args:
            order: the order for ``main``.
            limits: the limits of time and memory of the child.
            descriptors: open files; the child gets copies of them for ``main``.
            module: the module whose ``main`` it runs; empty for the first module.

        Raises:
            NotStarted: the process that forks ends each time. Its standard error is
                this process's own, and tells the reason.
        """
        wanted, output, ended = os.pipe(), os.pipe(), os.pipe()
        message = json.dumps([asdict(limits), module or self._modules[0], order])
        pipes = [wanted[0], output[1], ended[1]]
        try:
            self._give(message.encode(), [*pipes, *descriptors])
        except BaseException:
            for end in (wanted[1], output[0], ended[0]):
                os.close(end)
            raise
        finally:
            for end in (wanted[0], output[1], ended[1]):
                os.close(end)
        said = os.fdopen(output[0], encoding="utf-8", errors="replace")
        return Child(wanted[1], said, ended[0])

    def close(self) -> None:
        """End the process; children go on."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()
        self._socket = None

    def _give(self, message: bytes, pipes: list[int]) -> None:
        with self._lock:
            for _ in range(_TRIES):
                orders = self._socket or self._open()
                # Sending proves nothing: the order may lie where nobody reads it.
                with contextlib.suppress(OSError):
                    _send(orders, message, pipes)
                    if orders.recv(len(_TAKEN)):
                        return
                self._close()
        raise NotStarted("the process that forks others ends as soon as it is started")

    def _open(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, *self._arguments],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        self._socket = ours
        return ours


@dataclass
class Child:
    """A child that runs, or has run.

    Attributes:
        output: the child's standard output and standard error.
    """

    _wanted: int
    output: IO[str]
    _ended: int

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self.close()

    def close(self) -> None:
        """Close the pipes of a child that has ended."""
        self.output.close()
        os.close(self._ended)

    def end(self) -> None:
        """Have the child killed, if it still runs; do not wait for its end."""
        wanted, self._wanted = self._wanted, -1
        if wanted >= 0:
            os.close(wanted)

    def wait(self) -> int | None:
        """Wait for the child's end.

        Returns:
            The guard's exit code; None if the guard was killed.
        """
        # A pipe gives such a short text in one piece.
        code = os.read(self._ended, 16)
        return int(code) if code else None


def main(idle_seconds: float, module_names: Sequence[str]) -> None:
    """Serve orders until their sender has gone, or sends none for a while."""
    for name in module_names:
        importlib.import_module(name).prepare()
    # Without this a child's garbage collector would touch, and so copy, shared memory.
    gc.collect()
    gc.freeze()
    # The kernel then forgets children that have ended; nobody needs to wait for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orders = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    while True:
        if not select.select([orders], [], [], idle_seconds)[0]:
            if _has_children():
                continue
            return
        message, pipes = _receive(orders)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            _guard(message.decode(), *pipes)
        for pipe in pipes:
            os.close(pipe)
        with contextlib.suppress(OSError):  # the sender has gone
            orders.sendall(_TAKEN)


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _send(orders: socket.socket, message: bytes, pipes: list[int]) -> None:
    # The pipes come with the first byte.
    socket.send_fds(orders, [_LENGTH.pack(len(message))], pipes)
    orders.sendall(message)


def _receive(orders: socket.socket) -> tuple[bytes, list[int]]:
    """Receive an order and its pipes; an empty order if there will be no more."""
    head, pipes, _, _ = socket.recv_fds(
        orders, _LENGTH.size, _PIPES + _MAX_DESCRIPTORS, socket.MSG_WAITALL
    )
    if len(head) < _LENGTH.size:
        return b"", pipes
    (size,) = _LENGTH.unpack(head)
    return orders.recv(size, socket.MSG_WAITALL), pipes


def _guard(
    message: str,
    wanted: int,
    output: int,
    ended: int,
    *descriptors: int,
) -> None:
    """Run in a child: guard a child of this one, and tell how it ended."""
    given, module_name, order = json.loads(message)
    limits = Limits(**given)

    def call() -> None:
        importlib.import_module(module_name).main(order, *descriptors)

    def start(scratch: Path, step_back: Callable[[], None]) -> _Forked:
        pid = os.fork()
        if pid == 0:
            _run(call, scratch, step_back, descriptors)
        # They are closed here: the other side then notices the child's end.
        for descriptor in descriptors:
            os.close(descriptor)
        return _Forked(pid)

    def watch() -> int:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        return guard.guard(start, limits, wanted)

    code = _code_of(watch)
    with contextlib.suppress(OSError):  # nobody reads the answer any more
        os.write(ended, str(code).encode())
    os._exit(code)


def _run(
    call: Callable[[], None],
    scratch: Path,
    step_back: Callable[[], None],
    its_own: Sequence[int],
) -> None:
    """Run in the guard's child: do the order."""

    def work() -> int:
        os.setsid()
        # This closes the guard's pipes, and its lock on the scratch folder.
        _close_files(its_own)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        step_back()
        os.environ.update(scratch_environment(scratch))
        tempfile.tempdir = None
        call()
        return 0

    code = _code_of(work)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)


def _close_files(its_own: Sequence[int]) -> None:
    """Close all files but the standard streams and those that the child was given."""
    # An old C library's os.closerange would try each possible number.
    for name in os.listdir("/dev/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) not in its_own:
            with contextlib.suppress(OSError):  # the listing's own descriptor
                os.close(int(name))


def _code_of(call: Callable[[], int]) -> int:
    """Return the exit code of a process; its standard error tells what failed."""
    try:
        return call()
    except SystemExit as ex:
        if isinstance(ex.code, str):
            sys.stderr.write(f"{ex.code}\n")
        return ex.code if isinstance(ex.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1


class _Forked:
    """A child with the methods of ``subprocess.Popen`` that the guard needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Return the exit code, negative if it was killed; None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
