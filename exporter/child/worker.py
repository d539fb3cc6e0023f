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

# linux/prctl.h. Elsewhere the end of the pipe must do.
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do one job behind walls, tell what became of it, and end."""
    connection = Connection(int(sys.argv[1]))
    room, policy, seconds = connection.recv()
    # The kernel ends this process with its parent, even where it hangs in C++. A parent
    # that ended before this line has closed the pipe, and the next ``recv`` says so.
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if seconds is not None:
        # The kernel keeps the time, too.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
    try:
        # Before the job is read, whose modules start threads.
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
    # tf2onnx and TensorFlow trip over models in their own ways: a sentence, and the
    # traceback for who asks with -v.
    except Exception as ex:
        traceback.print_exc()
        first = (str(ex).strip() or "no reason given").splitlines()[0][:300]
        sentence = f"the work broke off: {type(ex).__name__}: {first}"
        reply = ("failed", (ExportError, sentence))
    connection.send(reply)
    # At once: TensorFlow's threads and destructors have crashed where all was done.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent(connection: Connection) -> None:
    """Nothing more comes from the parent but, at its death, the end of the pipe."""
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(1)


if __name__ == "__main__":
    main()
