"""The child's side of ``run.py``: ``python -m exporter.child.worker DESCRIPTOR``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection

from bundle.disk import refusal
from bundle.errors import DomainError
from exporter.errors import ExportError, WorkFailed
from runtime.walls import enclose
from runtime.walls.libc import prctl

# This is PR_SET_PDEATHSIG of linux/prctl.h. On other systems the end of the pipe alone
# ends the child.
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do one job behind walls, send its result, and end."""
    connection = Connection(int(sys.argv[1]))
    room, policy, seconds = connection.recv()
    # The kernel ends this process with its parent, even if it hangs in C++. If the
    # parent ended before this line, the pipe is closed, and the next ``recv`` raises.
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if seconds is not None:
        # The kernel keeps the time even if this process hangs in C++.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
    try:
        # The walls come before the job is read, because the job's modules start
        # threads.
        enclose(room, policy)
    except DomainError as ex:
        connection.send(("failed", (type(ex), str(ex))))
        return
    work, job = connection.recv()
    threading.Thread(target=_end_with_parent, args=[connection], daemon=True).start()
    try:
        reply = ("done", work(job, lambda step: connection.send(("step", step))))
    except DomainError as ex:
        reply = ("failed", (type(ex), str(ex)))
    except MemoryError:
        reply = ("failed", (WorkFailed, "the work ran out of memory"))
    except OSError as ex:
        why = refusal(ex, "set TMPDIR to a folder with room")
        sentence = f"a temporary file cannot be written: {why}"
        reply = ("failed", (WorkFailed, sentence))
    # tf2onnx and TensorFlow fail on models in many ways. The user gets a sentence, and
    # with -v the traceback.
    except Exception as ex:
        traceback.print_exc()
        first = (str(ex).strip() or "no reason given").splitlines()[0][:300]
        sentence = f"the work broke off: {type(ex).__name__}: {first}"
        reply = ("failed", (ExportError, sentence))
    connection.send(reply)
    # The process ends at once, because TensorFlow's threads and destructors have
    # crashed after all work was done.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent(connection: Connection) -> None:
    """Wait for the end of the pipe, which comes with the parent's death."""
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(1)


if __name__ == "__main__":
    main()
