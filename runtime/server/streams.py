"""Replies that are sent piece by piece, as fast as their clients take them."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from runtime.server.patience import TICK_SECONDS, Patience

# Granian opens a file that it sends within milliseconds; never if the client has left.
OPEN_SECONDS = 10.0
_PAUSE_SECONDS = 0.002


def send_stream(
    chunks: Iterable[bytes],
    send_file: Callable[[str], object],
    patience: Patience,
    open_seconds: float = OPEN_SECONDS,
) -> None:
    """Send a reply's chunks; this thread waits while the client is slow.

    Granian takes any number of bytes at once, and keeps them in memory. But it reads a
    file only as fast as the client takes it. This file is a pipe with a name.

    Args:
        chunks: the pieces of the reply; they are closed at the end, if they can be.
        send_file: the function that lets granian send the file of a path.
        patience: the limit on the time that the thread waits for the client.
        open_seconds: the seconds within which granian must open the file.

    Raises:
        Stalled: the client takes almost nothing; the reply is cut short.
    """
    try:
        with _pipe() as path:
            send_file(str(path))
            writer = _opened(path, open_seconds)
        if writer is None:
            return
        # The pipe breaks when the client leaves.
        with contextlib.suppress(BrokenPipeError), writer:
            for chunk in chunks:
                _write(writer, chunk, patience)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()


def _write(writer: IO[bytes], chunk: bytes, patience: Patience) -> None:
    poll = select.poll()
    poll.register(writer, select.POLLOUT)
    left = memoryview(chunk)
    while left:
        if not poll.poll(TICK_SECONDS * 1000):
            patience.waited(TICK_SECONDS)
            continue
        # A pipe is ready if one page fits, and takes as many bytes as fit.
        written = os.write(writer.fileno(), left)
        patience.moved(written)
        left = left[written:]


@contextlib.contextmanager
def _pipe() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tfaas-reply-") as folder:
        path = Path(folder, "reply")
        os.mkfifo(path, 0o600)
        yield path


def _opened(path: Path, seconds: float) -> IO[bytes] | None:
    """Open the pipe for writing when granian reads it; return None if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as ex:
            if ex.errno != errno.ENXIO:
                raise
            time.sleep(_PAUSE_SECONDS)
            continue
        return os.fdopen(descriptor, "wb", buffering=0)
    return None
