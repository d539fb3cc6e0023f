"""Sentences about a disk that refuses a write, with advice for its user."""

from __future__ import annotations

import errno
import os
import re

# Advice for the user, by the kernel's reason.
_ADVICE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "free some of your quota there",
    errno.EROFS: "mount that file system writable",
    errno.EACCES: "change its permissions",
    errno.EPERM: "change its permissions",
    errno.EIO: "check that disk",
    errno.EFBIG: "raise the limit on the size of a file (ulimit -f)",
}
# HDF5 writes the error number in one of these forms inside a longer text.
_SPELT = re.compile(r"\berrno = (\d+)\b|\[Errno (\d+)\]")


def is_refusal(ex: OSError) -> bool:
    """Tell whether the disk failed; if not, the given path is wrong."""
    return ex.errno in _ADVICE


def refusal(ex: OSError, other: str) -> str:
    """Make the end of a sentence that begins with ``FILE cannot be written:``.

    Args:
        ex: the failure.
        other: other advice, such as ``give another folder with --fout``.
    """
    advice = _ADVICE.get(ex.errno or 0)
    said = ex.strerror or "the disk refused it"
    return f"{said}; {advice}, or {other}" if advice else f"{said}; {other}"


def as_disk_error(ex: Exception) -> OSError | None:
    """Find the disk's refusal behind a library's error, by the error's text.

    TensorFlow and HDF5 raise errors of their own that contain the kernel's words.

    Returns:
        An error with ``errno`` and ``strerror``; None if the disk is not the cause.
    """
    if isinstance(ex, OSError) and ex.errno:
        # HDF5 puts its own text, with a path, in place of the kernel's.
        return OSError(ex.errno, os.strerror(ex.errno))
    text = str(ex)
    if found := _SPELT.search(text):
        number = int(found[1] or found[2])
        return OSError(number, os.strerror(number))
    for number in _ADVICE:
        if os.strerror(number) in text:
            return OSError(number, os.strerror(number))
    return None
