"""The exchange of two folders in one step, if the system can do it."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

# These numbers stand in Linux's <linux/fs.h> and <fcntl.h>. Python's os.rename takes no
# flags, so the system call is made by ctypes.
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100

# The kernel is older than 3.15, or the file system (NFS, some of FUSE) cannot do it.
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths of one file system in one step, so that none is ever missing.

    Returns:
        True if they were exchanged. False if the system cannot do it; then nothing has
        changed.

    Raises:
        OSError: one of them is not there, or may not be renamed.

    Source: renameat2(2).
    """
    # None stands for the running process, which contains the C library.
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
