"""The service's side of one process in which TensorFlow serves a model.

The process is not trusted, because a stranger's model may have taken it over. So its
texts have a limit, its answers are compared with the outputs that it announced, and
each wait for it has an end.
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

# A process that has closed its connections may take so long to end.
_END_SECONDS = 10.0
# So many last lines of output are kept for the log, each of at most so many characters.
_LINES = 20
_LINE = 4096
# The service's log gets at most so many lines of one process as warnings.
_WARNINGS = 100
# An error from a process is cut after so many characters: it may be a stranger's text.
_SENTENCE = 1000

_ERRORS: dict[str, type[DomainError]] = {
    error.__name__: error
    for error in (BackendError, BundleError, ConfigError, ShapeError, WallsError)
}


class ProcessDied(Exception):
    """A process has ended by itself, or was ended: it hung, or gave a wrong answer.

    Args:
        how: the end of a sentence that begins with the process.
        of_this_input: whether another process would end on this input too.
    """

    def __init__(self, how: str, *, of_this_input: bool) -> None:
        super().__init__(how)
        self.of_this_input = of_this_input


class ModelProcess:
    """One process that has opened a model, and the connections to this process.

    Each connection carries one run at a time. There are as many as the most runs that
    went on at once.

    Args:
        server: the fork server that starts the process.
        order: the order for ``tensorflow_child.main``.
        limits: the limits of time and memory of the process.
        seconds: the time that it may take to open the model.
        run_seconds: the time that one run may take.

    Raises:
        BackendError: the process does not start, or cannot load or run the model.
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
        # A process that is forked from this one later must not use the connections.
        self._owner = os.getpid()
        self._is_ended = False
        self._lanes: list[Lane] = []
        self._lock = threading.Lock()  # guards the control socket
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
        # The process ends with this object.
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
        """Whether the process takes requests."""
        return not (self._is_ended or self._gone.is_set() or self._owner != os.getpid())

    @property
    def said(self) -> str:
        """The last lines of the process's output."""
        return " | ".join(self._said) or "nothing"

    def ask(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Let the process run the model.

        Args:
            inputs: an array ``(N, …)`` of each input's dtype, by the input's name.

        Returns:
            An array ``(N, …)`` of each output's dtype, by the output's name.

        Raises:
            ProcessDied: the process has ended.
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
        """Check the answers, because the process is not trusted."""
        if outputs.keys() != self._dtypes.keys():
            raise FrameError("outputs are missing")
        for name, array in outputs.items():
            if array.dtype != self._dtypes[name]:
                raise FrameError(f"output {name!r} has another dtype")

    def end(self, error: Exception) -> ProcessDied:
        """End the process, if it has not ended yet, and tell how it ended.

        Args:
            error: the error by which its end, or the need to end it, was noticed.
        """
        self._is_ended = True
        if isinstance(error, EOFError | ConnectionError):
            # It died by itself, and its guard will tell the reason.
            self._gone.wait(_END_SECONDS)
        hangs = isinstance(error, BlockingIOError) and not self._gone.is_set()
        self._finalizer()
        self._gone.wait(_END_SECONDS)
        code = self._code[0] if self._code else None
        if hangs:
            how = f"took longer than {self._seconds:g} s ('trialSeconds')"
        elif isinstance(error, FrameError):
            how = "gave an invalid answer"
        elif code == TOO_LARGE:
            size = self._limits.max_bytes
            how = f"took more than {size} bytes of memory or of files ('trialBytes')"
        elif code == UNWANTED:
            how = "was ended for another request"
        else:
            how = how_it_ended(code)
        # Another request may have caused a crash, or none at all.
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
    """Read the lines that a process writes, until it has ended."""
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
    # settimeout would cost each read and each write one more system call.
    whole = int(seconds)
    time = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        end.setsockopt(socket.SOL_SOCKET, option, time)


def _raise(said: Mapping[str, Any]) -> None:
    """Raise the error that a process answered with, if there is one."""
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
