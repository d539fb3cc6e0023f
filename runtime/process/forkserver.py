"""A process that has imported what its children need, and forks one for each order.

To start Python and import an engine takes half a second of a core; to open a small
model, some hundredths. The standard library's fork server imports the program that was
started, too, and never ends; this one has one module, and ends when nobody has asked
for a while.

Each child is under ``runtime.process.guard``, which ends it. It cannot reach the
server: it is another process, as if it had been started by itself.
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

# Comes before an order: of how many bytes it is.
_LENGTH = struct.Struct("!I")
# Ends of pipes that come with an order: who wants it, what it says, how it ended.
_PIPES = 3
# And what else the child gets.
_MAX_DESCRIPTORS = 4
# Says that an order was taken, and a process forked for it.
_TAKEN = b"+"
# The process may end for want of work, or be killed, as it is asked. A new one, which
# has an order from its start, does not.
_TRIES = 2


class NotStarted(Exception):
    """No process was forked: the one that forks them ended as often as it was asked."""


class ForkServer:
    """Starts children that have a module imported already.

    Args:
        modules: each has ``prepare()``, which imports what its children will need and
            starts no thread, and ``main(order, *descriptors)``, which a child runs.
        environment: of the process.
        idle_seconds: after which it ends if it has no child, for it takes memory;
            while it has one, that has nearly all of it in common.
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
        """Start a child; ``with`` ends it.

        Args:
            order: for ``main``.
            limits: what it may take.
            descriptors: open files that the child gets copies of, for ``main``.
            module: whose ``main`` it runs; empty is the first one's.

        Raises:
            NotStarted: the process that forks ends each time, and its standard error,
                which is this process's own, says why.
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
                # That it was sent tells nothing: it may lie where nobody reads it.
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
    """One that runs, or has run.

    Attributes:
        output: what it writes, and what its standard error gets.
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
        """Let go of one that has ended."""
        self.output.close()
        os.close(self._ended)

    def end(self) -> None:
        """Have it killed, if it still runs; does not wait."""
        wanted, self._wanted = self._wanted, -1
        if wanted >= 0:
            os.close(wanted)

    def wait(self) -> int | None:
        """Wait for its end: the guard's exit code; None if the guard was killed."""
        # Less than a pipe holds at once.
        code = os.read(self._ended, 16)
        return int(code) if code else None


def main(idle_seconds: float, module_names: Sequence[str]) -> None:
    """Serve orders until the one who gives them is gone, or gives none for a while."""
    for name in module_names:
        importlib.import_module(name).prepare()
    # A child's collector would touch, and so copy, what all have in common.
    gc.collect()
    gc.freeze()
    # Forgotten children leave nothing to be waited for.
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
        with contextlib.suppress(OSError):  # who asked is gone
            orders.sendall(_TAKEN)


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _send(orders: socket.socket, message: bytes, pipes: list[int]) -> None:
    # They come with the first byte.
    socket.send_fds(orders, [_LENGTH.pack(len(message))], pipes)
    orders.sendall(message)


def _receive(orders: socket.socket) -> tuple[bytes, list[int]]:
    """An order and its pipes; empty if nobody gives any more."""
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
    """In a child: guard another, and tell how it ended."""
    given, module_name, order = json.loads(message)
    limits = Limits(**given)

    def call() -> None:
        importlib.import_module(module_name).main(order, *descriptors)

    def start(scratch: Path, step_back: Callable[[], None]) -> _Forked:
        pid = os.fork()
        if pid == 0:
            _run(call, scratch, step_back, descriptors)
        # While they are open here too, the child's end is not seen at their other ends.
        for descriptor in descriptors:
            os.close(descriptor)
        return _Forked(pid)

    def watch() -> int:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        return guard.guard(start, limits, wanted)

    code = _code_of(watch)
    with contextlib.suppress(OSError):  # nobody wants to know
        os.write(ended, str(code).encode())
    os._exit(code)


def _run(
    call: Callable[[], None],
    scratch: Path,
    step_back: Callable[[], None],
    its_own: Sequence[int],
) -> None:
    """In a child of that one: do what was ordered."""

    def work() -> int:
        os.setsid()
        # The guard's pipes, and its hold on the scratch folder.
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
    """Close all but the standard streams and what the child was given."""
    # Not os.closerange: where the C library is old, it tries each number that may be.
    for name in os.listdir("/dev/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) not in its_own:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(int(name))


def _code_of(call: Callable[[], int]) -> int:
    """The code that a process would exit with; its standard error says what failed."""
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
    """A child, as ``subprocess`` would have it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """The exit code, negative if it was killed; None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
