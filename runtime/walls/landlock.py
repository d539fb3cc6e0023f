"""Landlock: a process gives up files, ports and signals, by three system calls.

Linux has it since 5.13, and it needs no privilege. ``linux/landlock.h`` and
``Documentation/userspace-api/landlock.rst`` of the kernel's sources say more. Its ABI's
number tells what a kernel can refuse; what it cannot is left out.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from runtime.walls.libc import succeed, syscall

# The same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1 << 0
_PATH_BENEATH = 1

# Bits 6 and 9 to 12 make devices, sockets, pipes and links: nobody may here.
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

# Rights that a plain file can have; a rule for a file may name no others.
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _READ_FILE | _READ_DIR
# Neither links, which would lead the one astray who reads the folder afterwards, nor
# pipes, at which he would wait, nor sockets.
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

# Rights to files that an ABI knows: those of the first, and those that others added.
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
    """The kernel's ABI; 0 where it has no Landlock, or it is switched off."""
    return max(0, syscall(_CREATE_RULESET, None, 0, _VERSION))


def restrict(
    reads: Iterable[Path], writes: Iterable[Path], devices: Iterable[Path]
) -> None:
    """Give up all files but these, all TCP ports, and signals to other processes.

    It holds for the calling thread, and for what it starts from now on; nothing takes
    it back. Files that are open stay so.

    Args:
        reads: files and folders; one that is not there is passed over.
        writes: the same; in these folders files and folders may be made.
        devices: to be read, written and controlled.

    Raises:
        OSError: the kernel refuses, or one of ``writes`` is not there.
    """
    version = abi()
    handled = sum(added for since, added in _ADDED.items() if since <= version)
    ruleset = _Ruleset(
        handled,
        _BIND_TCP | _CONNECT_TCP if version >= 4 else 0,
        _ABSTRACT_SOCKETS | _SIGNALS if version >= 6 else 0,
    )
    # An older kernel takes a longer message, as long as what it does not know is 0.
    rules = succeed(
        syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    )
    try:
        for paths, rights in ((reads, _READ), (devices, _USE)):
            for path in paths:
                try:
                    _allow(rules, path, rights & handled)
                # Not there; or not to be reached by this user, who cannot read it then.
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
