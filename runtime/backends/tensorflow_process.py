"""TensorFlow in a process of its own for each model: what the service calls.

A stranger's SavedModel is a program. It runs behind walls, where a crash, an endless
loop or all of the memory costs that process: the next request finds a new one. The
service's workers never import TensorFlow, which is half a gigabyte and many threads.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import socket
import struct
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import BundleError, DomainError, ShapeError
from bundle.folder import Bundle
from runtime import metrics, walls
from runtime.backends import InputRefused, TensorSpec, check_inputs, tensorflow_child
from runtime.backends.frames import Arrays, FrameError, Lane, dtype_of
from runtime.backends.saved_model import require_tensorflow
from runtime.backends.session_config import SessionConfig
from runtime.config import ConfigError, Walls
from runtime.errors import BackendError, WallsError
from runtime.forkserver import Child, ForkServer
from runtime.guard import TOO_LARGE, UNWANTED, Limits, how_it_ended, lines_of

logger = logging.getLogger(__name__)

# How often its memory is looked at; nobody waits for this process's end.
_LOOK_SECONDS = 1.0
# How long a process that has closed its connections may take to be gone.
_END_SECONDS = 10.0
# Lines of output that are kept for the log, and their characters.
_LINES = 20
_LINE = 4096
# Lines of one process that the service's log gets as warnings.
_WARNINGS = 100
# Characters of an error that a process tells: it may be a stranger's.
_SENTENCE = 1000
# A request that a process died of is given to a new one once: it need not be the one
# that killed it.
_TRIES = 2

_ERRORS: dict[str, type[DomainError]] = {
    error.__name__: error
    for error in (BackendError, BundleError, ConfigError, ShapeError, WallsError)
}


class TensorFlowProcesses:
    """Opens models in TensorFlow, each in a process of its own.

    Args:
        server: starts them; ``tensorflow_child`` is one of its modules.
        session: how TensorFlow is set up.
        seconds: that a model may take to open.
        run_seconds: that one run of it may take.
        max_bytes: of memory of one process.
        policy: on the walls around each.
        user: whom each becomes, where the service is root's.
    """

    def __init__(
        self,
        server: ForkServer,
        session: SessionConfig,
        *,
        seconds: float,
        run_seconds: float,
        max_bytes: int,
        policy: Walls = "auto",
        user: str = "",
    ) -> None:
        self._server = server
        self._seconds = (seconds, run_seconds)
        self._policy = policy
        self._limits = Limits(float("inf"), max_bytes, 0, _LOOK_SECONDS)
        self._order = {
            "session": base64.b64encode(session.content).decode(),
            "threads": session.threads,
            "max_bytes": max_bytes,
            "policy": policy,
            "user": user,
        }

    def open(self, bundle: Bundle) -> TensorFlowProcess:
        """Open a bundle's frozen graph or SavedModel.

        Raises:
            BackendError: TensorFlow is not installed, or cannot load or run it.
            WallsError: walls are demanded, and do not stand here.
        """
        require_tensorflow()
        walls.demand(self._policy)
        order = {**self._order, "path": str(bundle.path.absolute())}
        start = partial(
            _start, self._server, json.dumps(order), self._limits, *self._seconds
        )
        return TensorFlowProcess(bundle.params.name, start)


class TensorFlowProcess:
    """One model, served by TensorFlow in a process of its own.

    When that has died, the next request starts another.

    Args:
        model: its name, for the log.
        start: starts a process that has opened it.

    Raises:
        BackendError: it does not start, or cannot load or run the model.
    """

    name = "tensorflow"

    def __init__(self, model: str, start: Callable[[], _Process]) -> None:
        self._model = model
        self._start = start
        self._lock = threading.Lock()  # of the process's replacement
        self._process = start()
        self.device = self._process.device
        self.warning = self._process.warning
        self.inputs = self._process.inputs
        self.outputs = self._process.outputs

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See ``Backend.run``."""
        check_inputs(self.inputs, inputs)
        how = ""
        for _ in range(_TRIES):
            process = self._living()
            try:
                return process.ask(inputs)
            except _Died as ex:
                how = str(ex)
                logger.warning(
                    "%s: TensorFlow's process %s; another takes its place; it said: %s",
                    self._model,
                    how,
                    process.said,
                )
                if ex.of_this_input:
                    break
        raise BackendError(f"TensorFlow failed on this input: its process {how}")

    def _living(self) -> _Process:
        process = self._process
        if process.is_living:
            return process
        with self._lock:
            if not self._process.is_living:
                metrics.TENSORFLOW_RESTARTS.inc()
                self._process = self._start()
            return self._process


class _Died(Exception):
    """A process has ended, or was ended: it hung, or talked nonsense.

    Args:
        how: the end of a sentence about it.
        of_this_input: another process would do the same.
    """

    def __init__(self, how: str, *, of_this_input: bool) -> None:
        super().__init__(how)
        self.of_this_input = of_this_input


class _Process:
    """One process, and the connections to it.

    Each connection bears one run at a time; there are as many as runs were at once.
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
            self._child = server.start(
                order, limits, [theirs.fileno()], module=tensorflow_child.__name__
            )
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
            if self._code == [None]:
                raise _NeverBegan from ex
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
            _Died: it does not live any more.
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

    def end(self, error: Exception) -> _Died:
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
        return _Died(how, of_this_input=hangs or code == TOO_LARGE)

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


class _NeverBegan(Exception):
    """The process that starts others had nothing to do, and ended at that moment."""


def _start(
    server: ForkServer, order: str, limits: Limits, seconds: float, run_seconds: float
) -> _Process:
    for _ in range(_TRIES):
        with contextlib.suppress(_NeverBegan):
            return _Process(server, order, limits, seconds, run_seconds)
    raise BackendError(
        "TensorFlow cannot be started here, and the service's log says why"
    )


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
