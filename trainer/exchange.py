"""Two folders trade places at once, where the system can do that."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

# Linux's <linux/fs.h> and <fcntl.h>. Python's os.rename knows no flags.
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100

# The kernel is older than 3.15, or the file system (NFS, some of FUSE) cannot.
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL)


def exchange(one: Path, other: Path) -> bool:
    """Let two paths of one file system trade places, so that none is ever missing.

    Returns:
        Whether they did; False, and nothing has changed, where it cannot be done so.

    Raises:
        OSError: one of them is not there, or may not be renamed.

    Source: renameat2(2).
    """
    # None is the running process, which has the C library in it.
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    failed = renameat2(
        _AT_FDCWD,
        os.fsencode(one),
        _AT_FDCWD,
        os.fsencode(other),
        ctypes.c_uint(_RENAME_EXCHANGE),
    )
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
