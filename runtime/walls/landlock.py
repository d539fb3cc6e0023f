"""Landlock: a process gives up files, ports and signals, by three system calls.

Linux has Landlock since 5.13, and it needs no privilege. ``linux/landlock.h`` and
``Documentation/userspace-api/landlock.rst`` in the kernel's sources say more. The
number of its ABI tells what a kernel can refuse; this module leaves out the rest.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from runtime.walls.libc import succeed, syscall

# These numbers are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1 << 0
_PATH_BENEATH = 1

# Bits 6 and 9 to 12 allow devices, sockets, pipes and links, which are never allowed.
_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_REMOVE_DIR = 1 << 4
_REMOVE_FILE = 1 << 5
_MAKE_DIR = 1 << 7
_MAKE_REG = 1 << 8
_REFER = 1 << 13  # rename and link from folder to folder, since ABI 2
_TRUNCATE = 1 << 14  # since ABI 3
_IOCTL_DEV = 1 << 15  # since ABI 5

_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

# A plain file can have these rights; a rule for a file may name no others.
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _READ_FILE | _READ_DIR
# Links, pipes and sockets are not among these. A program that reads the folder later
# could follow a link elsewhere, or wait at a pipe.
_WRITE = (
    _READ
    | _WRITE_FILE
    | _TRUNCATE
    | _MAKE_REG
    | _MAKE_DIR
    | _REMOVE_FILE
    | _REMOVE_DIR
    | _REFER
)
_USE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV

# The rights to files that each ABI added; the first ABI has most.
_ADDED = {1: (1 << 13) - 1, 2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("ports", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def abi() -> int:
    """Return the kernel's ABI; 0 if it has no Landlock, or Landlock is switched off."""
    return max(0, syscall(_CREATE_RULESET, None, 0, _VERSION))


def restrict(
    reads: Iterable[Path], writes: Iterable[Path], devices: Iterable[Path]
) -> None:
    """Give up all files but these, all TCP ports, and signals to other processes.

    It holds for the calling thread, and for all that this thread starts from now on.
    Nothing can undo it. Open files stay open.

    Args:
        reads: the files and folders to be read; a missing one is skipped.
        writes: the files and folders to be written, in which others may be made.
        devices: the devices to be read, written and controlled.

    Raises:
        OSError: the kernel refuses, or one of ``writes`` is missing.
    """
    version = abi()
    handled = sum(added for since, added in _ADDED.items() if since <= version)
    ruleset = _Ruleset(
        handled,
        _BIND_TCP | _CONNECT_TCP if version >= 4 else 0,
        _ABSTRACT_SOCKETS | _SIGNALS if version >= 6 else 0,
    )
    # An older kernel takes a longer message if the part that it does not know is 0.
    rules = succeed(
        syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    )
    try:
        for paths, rights in ((reads, _READ), (devices, _USE)):
            for path in paths:
                try:
                    _allow(rules, path, rights & handled)
                # The path is missing, or this user cannot reach it and so not read it.
                except (FileNotFoundError, PermissionError, NotADirectoryError):
                    continue
        for path in writes:
            _allow(rules, path, _WRITE & handled)
        succeed(syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _OF_A_FILE
        beneath = _Beneath(rights, opened)
        succeed(syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(beneath), 0))
    finally:
        os.close(opened)
