"""The process in which TensorFlow serves one model, behind walls.

``runtime.process.forkserver`` forks it from a process that has imported TensorFlow. It
opens the bundle that its order names, and tells the model's inputs and outputs. Then it
answers frames: one thread for each connection that comes through its control socket.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from bundle.errors import DomainError
from bundle.folder import open_bundle
from bundle.terminal import quiet_stderr
from runtime import walls
from runtime.backends import Backend, InputRefused, TensorSpec
from runtime.backends.frames import FrameError, Lane
from runtime.backends.opening import open_tensorflow
from runtime.backends.saved_model import (
    import_tensorflow,
    load_tensorflow,
    require_tensorflow,
)
from runtime.backends.session_config import SessionConfig, keep_session_config
from runtime.errors import BackendError

# A line of output that begins so is meant for the service's log.
MARK = "tfaas: "
# At most so many characters of an engine's own words go to the service's log.
_DETAIL = 1000


def prepare() -> None:
    """Import TensorFlow, which starts no thread before its first use.

    If it is not installed, the forked processes report that.
    """
    # The lines that TensorFlow prints at its import would stand in the service's log,
    # and between the lines of ``runtime models push``. This process has one thread.
    is_quiet = os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
    with contextlib.suppress(BackendError), quiet_stderr(is_quiet):
        require_tensorflow()
        load_tensorflow()
    walls.prepare()


def main(order: str, control_descriptor: int) -> None:
    """Serve one model until the control socket is closed."""
    logging.basicConfig(stream=sys.stdout, format=f"{MARK}%(message)s")
    given = json.loads(order)
    control = socket.socket(fileno=control_descriptor)
    first = Lane(control)
    try:
        backend = _open(given)
    except DomainError as ex:
        first.send(_failure(ex))
        return
    first.send(
        {
            "device": backend.device,
            "warning": backend.warning,
            "inputs": [*map(_told, backend.inputs)],
            "outputs": [*map(_told, backend.outputs)],
        }
    )
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            return
        lane = Lane(socket.socket(fileno=descriptors[0]))
        threading.Thread(target=_answer, args=[backend, lane], daemon=True).start()


def _open(given: dict[str, Any]) -> Backend:
    # This comes before the threads, which would keep the old priority.
    os.nice(given["niceness"])
    folder = Path(given["path"])
    # The process lives as long as the service, and needs no file of its own.
    room = walls.Room((folder,), (), given["max_bytes"], given["user"])
    walls.enclose(room, given["policy"])
    content = base64.b64decode(given["session"])
    keep_session_config(SessionConfig(content, given["threads"]))
    import_tensorflow()
    return open_tensorflow(open_bundle(folder))


def _told(spec: TensorSpec) -> list[Any]:
    return [spec.name, spec.dtype.name, spec.shape]


def _answer(backend: Backend, lane: Lane) -> None:
    """Answer the requests of one connection, one after the other."""
    while True:
        try:
            _, inputs = lane.receive()
        except (EOFError, FrameError, OSError):
            lane.close()
            return
        try:
            outputs = backend.run(inputs)
        except DomainError as ex:
            lane.send(_failure(ex))
        except MemoryError:
            sentence = "TensorFlow ran out of memory on this input"
            lane.send(_failure(BackendError(sentence)))
        else:
            lane.send({}, outputs)


def _failure(error: DomainError) -> dict[str, Any]:
    """Return an error for the other side to raise again, with the engine's words."""
    cause = error.__cause__
    return {
        "error": str(error),
        "kind": type(error).__name__,
        "is_of_shapes": isinstance(error, InputRefused) and error.is_of_shapes,
        "detail": f"{type(cause).__name__}: {cause}"[:_DETAIL] if cause else "",
    }
