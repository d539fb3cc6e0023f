"""The service's side of one process in which TensorFlow serves a model.

The process is not trusted: a stranger's model may have taken it over. Its words are
bounded, its answers are compared with what it promised, and each wait for it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import BundleError, DomainError, ShapeError
from runtime.backends import InputRefused, TensorSpec, tensorflow_child
from runtime.backends.frames import Arrays, FrameError, Lane, dtype_of
from runtime.config import ConfigError
from runtime.errors import BackendError, WallsError
from runtime.process.exit_code import how_it_ended
from runtime.process.forkserver import Child, ForkServer, NotStarted
from runtime.process.guard import TOO_LARGE, UNWANTED, Limits, lines_of

logger = logging.getLogger(__name__)

# How long a process that has closed its connections may take to be gone.
_END_SECONDS = 10.0
# Lines of output that are kept for the log, and their characters.
_LINES = 20
_LINE = 4096
# Lines of one process that the service's log gets as warnings.
_WARNINGS = 100
# Characters of an error that a process tells: it may be a stranger's.
_SENTENCE = 1000

_ERRORS: dict[str, type[DomainError]] = {
    error.__name__: error
    for error in (BackendError, BundleError, ConfigError, ShapeError, WallsError)
}


class ProcessDied(Exception):
    """A process has ended, or was ended: it hung, or talked nonsense.

    Args:
        how: the end of a sentence about it.
        of_this_input: another process would do the same.
    """

    def __init__(self, how: str, *, of_this_input: bool) -> None:
        super().__init__(how)
        self.of_this_input = of_this_input


class ModelProcess:
    """One process that has opened a model, and the connections to it.

    Each connection bears one run at a time; there are as many as runs were at once.

    Args:
        server: starts it.
        order: for ``tensorflow_child.main``.
        limits: what it may take.
        seconds: that it may take to open the model.
        run_seconds: that one run may take.

    Raises:
        BackendError: it does not start, or cannot load or run the model.
    """

    def __init__(
        self,
        server: ForkServer,
        order: str,
        limits: Limits,
        seconds: float,
        run_seconds: float,
    ) -> None:
        self._limits = limits
        self._seconds = seconds
        # A process that is forked from this one later must not use it too.
        self._owner = os.getpid()
        self._is_ended = False
        self._lanes: list[Lane] = []
        self._lock = threading.Lock()  # of the control socket
        self._said: deque[str] = deque(maxlen=_LINES)
        self._gone = threading.Event()
        self._code: list[int | None] = []
        self._control, theirs = socket.socketpair()
        with theirs:
            try:
                self._child = server.start(
                    order, limits, [theirs.fileno()], module=tensorflow_child.__name__
                )
            except NotStarted as ex:
                self._control.close()
                raise BackendError(
                    "TensorFlow cannot be started here, and the service's log says why"
                ) from ex
        # It ends with this object.
        self._finalizer = weakref.finalize(
            self, _close, self._child, self._control, self._lanes
        )
        threading.Thread(
            target=_watch,
            args=[self._child, self._said, self._code, self._gone],
            name="tensorflow",
            daemon=True,
        ).start()
        try:
            _limit_waiting(self._control, seconds)
            said, _ = Lane(self._control, seconds).receive()
            _raise(said)
            self.device = str(said["device"])
            self.warning = str(said["warning"])
            self.inputs = _specs(said["inputs"])
            self.outputs = _specs(said["outputs"])
            self._dtypes = {spec.name: spec.dtype for spec in self.outputs}
            self._seconds = run_seconds
        except (EOFError, FrameError, OSError, KeyError, ValueError, TypeError) as ex:
            how = self.end(ex)
            raise BackendError(
                f"TensorFlow cannot load the model: its process {how}"
            ) from ex
        except DomainError as ex:
            self.end(ex)
            raise

    @property
    def is_living(self) -> bool:
        """Whether it takes requests."""
        return not (self._is_ended or self._gone.is_set() or self._owner != os.getpid())

    @property
    def said(self) -> str:
        """The last lines of its output."""
        return " | ".join(self._said) or "nothing"

    def ask(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Let it run the model.

        Raises:
            ProcessDied: it does not live any more.
            ShapeError, BackendError: see ``Backend.run``.
        """
        try:
            lane = self._free_lane()
        except OSError as ex:
            raise self.end(ex) from ex
        try:
            lane.send({}, inputs)
            said, outputs = lane.receive()
            if "error" not in said:
                self._check(outputs)
        except (EOFError, FrameError, OSError) as ex:
            lane.close()
            raise self.end(ex) from ex
        if self._is_ended:
            lane.close()
        else:
            self._lanes.append(lane)
        _raise(said)
        return outputs

    def _check(self, outputs: Arrays) -> None:
        """The process is not trusted, nor are its answers."""
        if outputs.keys() != self._dtypes.keys():
            raise FrameError("outputs are missing")
        for name, array in outputs.items():
            if array.dtype != self._dtypes[name]:
                raise FrameError(f"output {name!r} has another dtype")

    def end(self, error: Exception) -> ProcessDied:
        """End it, if it has not ended yet.

        Args:
            error: by which that, or that it is time, was seen.
        """
        self._is_ended = True
        if isinstance(error, EOFError | ConnectionError):
            # It died by itself: its guard is about to say of what.
            self._gone.wait(_END_SECONDS)
        hangs = isinstance(error, BlockingIOError) and not self._gone.is_set()
        self._finalizer()
        self._gone.wait(_END_SECONDS)
        code = self._code[0] if self._code else None
        if hangs:
            how = f"took longer than {self._seconds:g} s ('trialSeconds')"
        elif isinstance(error, FrameError):
            how = "gave an answer that is none"
        elif code == TOO_LARGE:
            size = self._limits.max_bytes
            how = f"took more than {size} bytes of memory or of files ('trialBytes')"
        elif code == UNWANTED:
            how = "was ended for another request"
        else:
            how = how_it_ended(code)
        # A crash may be of another request, or of none.
        return ProcessDied(how, of_this_input=hangs or code == TOO_LARGE)

    def _free_lane(self) -> Lane:
        try:
            return self._lanes.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> Lane:
        ours, theirs = socket.socketpair()
        with theirs:
            _limit_waiting(ours, self._seconds)
            try:
                with self._lock:
                    socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return Lane(ours, self._seconds)


def _close(child: Child, control: socket.socket, lanes: list[Lane]) -> None:
    child.end()
    control.close()
    while lanes:
        with contextlib.suppress(IndexError):  # another thread took it
            lanes.pop().close()


def _watch(
    child: Child, said: deque[str], code: list[int | None], gone: threading.Event
) -> None:
    """Read what a process writes, until it has ended."""
    warnings = 0
    for line in lines_of(child.output, _LINE):
        line = line.rstrip("\n")
        if line.startswith(tensorflow_child.MARK) and warnings < _WARNINGS:
            warnings += 1
            logger.warning("%s", line.removeprefix(tensorflow_child.MARK))
        else:
            logger.debug("tensorflow: %s", line)
        said.append(line)
    code.append(child.wait())
    gone.set()
    child.end()
    child.close()


def _limit_waiting(end: socket.socket, seconds: float) -> None:
    # Not settimeout, which would cost each read and write a system call more.
    whole = int(seconds)
    time = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        end.setsockopt(socket.SOL_SOCKET, option, time)


def _raise(said: Mapping[str, Any]) -> None:
    """Raise the error that a process answered with, if it did."""
    if "error" not in said:
        return
    sentence, kind = str(said["error"])[:_SENTENCE], str(said.get("kind"))
    detail = RuntimeError(str(said.get("detail") or "no reason given")[:_SENTENCE])
    if kind == InputRefused.__name__:
        is_of_shapes = bool(said.get("is_of_shapes"))
        raise InputRefused(sentence, is_of_shapes=is_of_shapes) from detail
    raise _ERRORS.get(kind, BackendError)(sentence) from detail


def _specs(told: list[Any]) -> tuple[TensorSpec, ...]:
    specs = []
    for name, dtype, shape in told:
        sides = tuple(None if side is None else int(side) for side in shape)
        specs.append(TensorSpec(str(name), np.dtype(dtype_of(dtype)), sides))
    return tuple(specs)
