"""Replies that are sent as they are made, no faster than their clients take them."""

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

# Granian opens what it sends within milliseconds, or, where the client is gone, never.
OPEN_SECONDS = 10.0
_PAUSE_SECONDS = 0.002


def send_stream(
    chunks: Iterable[bytes],
    send_file: Callable[[str], object],
    patience: Patience,
    open_seconds: float = OPEN_SECONDS,
) -> None:
    """Send a reply's chunks; this thread waits where the client is slow.

    What granian is given as bytes it takes at once, and holds however much that is. A
    file it reads as the client takes it, and this one is a pipe with a name.

    Args:
        chunks: closed at the end, if they can be.
        send_file: has granian send the file of a path.
        patience: how long the client is waited for.
        open_seconds: how long it may take until somebody reads the file.

    Raises:
        Stalled: the client takes next to nothing; the reply is cut short.
    """
    try:
        with _pipe() as path:
            send_file(str(path))
            writer = _opened(path, open_seconds)
        if writer is None:
            return
        # Broken: the client went away.
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
        # A pipe that takes a page is ready, and takes what fits.
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
    """The pipe's end to write into, once there is one who reads; None: nobody will."""
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
