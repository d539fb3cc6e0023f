"""Replies that are sent as they are made, no faster than their clients take them."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

# Granian opens what it sends within milliseconds, or, where the client is gone, never.
_OPEN_SECONDS = 10.0
_PAUSE_SECONDS = 0.002


def send_stream(chunks: Iterable[bytes], send_file: Callable[[str], object]) -> None:
    """Send a reply's chunks; this thread waits where the client is slow.

    What granian is given as bytes it takes at once, and holds however much that is. A
    file it reads as the client takes it, and this one is a pipe with a name.

    Args:
        chunks: closed at the end, if they can be.
        send_file: has granian send the file of a path.
    """
    try:
        with _pipe() as path:
            send_file(str(path))
            writer = _opened(path)
        if writer is None:
            return
        # Broken: the client went away.
        with contextlib.suppress(BrokenPipeError), writer:
            for chunk in chunks:
                writer.write(chunk)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()


@contextlib.contextmanager
def _pipe() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tfaas-reply-") as folder:
        path = Path(folder, "reply")
        os.mkfifo(path, 0o600)
        yield path


def _opened(path: Path) -> IO[bytes] | None:
    """The pipe's end to write into, once there is one who reads; None: nobody will."""
    end = time.monotonic() + _OPEN_SECONDS
    while time.monotonic() < end:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as ex:
            if ex.errno != errno.ENXIO:
                raise
            time.sleep(_PAUSE_SECONDS)
            continue
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "wb")
    return None
