"""seccomp: a filter in the kernel checks each system call before it is made.

``syscalls.txt`` lists the calls that a computation needs, like the profiles of
Docker and of systemd (``SystemCallFilter=@system-service``). All others are refused
with EPERM: sockets and connections, programs and processes, other processes' memory,
owners, modes and times of files, mounts, namespaces, keys, io_uring, bpf, modules.
Calls that are newer than that list get ENOSYS, like on an older kernel, and the C
library works without them.

The filter is a program for the kernel's classic BPF; ``linux/filter.h`` and
``linux/seccomp.h`` tell the format.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from runtime.walls.libc import prctl, succeed, syscall

_TABLE = Path(__file__).with_name("syscalls.txt")
# This is the greatest number in kernel 6.10, from which the table was made.
_NEWEST = 462

# For each machine: the table's column, AUDIT_ARCH_* of linux/audit.h, and the number of
# seccomp itself.
_MACHINES = {"x86_64": (1, 0xC000003E, 317), "aarch64": (2, 0xC00000B7, 277)}

_SET_MODE_FILTER, _GET_ACTION_AVAIL = 1, 2
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS

# Codes of instructions, and the offsets of two words in ``struct seccomp_data``.
_LOAD, _JEQ, _JGE, _JSET, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_NUMBER, _ARCHITECTURE = 0, 4

# These calls are answered as unknown; they are in the table's last part.
_UNKNOWN_NAMES = ("clone3", "flock")

# clone(2) may make a thread, without a namespace of its own.
_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020000
# prctl(2) may name threads and memory, and ask. PR_SET_PDEATHSIG is not among these: it
# ends this process with the one that watches it.
_PRCTLS = (2, 3, 15, 16, 21, 23, 27, 30, 39, 41, 42, 0x53564D41)
# ioctl(2) must not type into a terminal, or send signals to others.
_IOCTLS = (0x5412, 0x541C, 0x8901, 0x8902)
# fcntl(2) must not send signals to others, or take leases: a lease lets others who open
# the file wait for 45 s.
_FCNTLS = (8, 10, 15, 1024)
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE = 1, 1, 0xF

_Instruction = tuple[int, int, int, int]


def is_available() -> bool:
    """Tell whether this kernel has filters, and there is a table for this machine."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    # A 32-bit process on a 64-bit machine has other numbers.
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    action = ctypes.byref(ctypes.c_uint32(_REFUSE & 0xFFFF0000))
    number = _MACHINES[platform.machine()][2]
    return syscall(number, _GET_ACTION_AVAIL, 0, action) == 0


def prepare() -> None:
    """Make the filter, if there is one for this machine."""
    if is_available():
        _code(platform.machine())


def restrict() -> None:
    """Put the filters in front of this process.

    They hold for the calling thread, and for all that this thread starts from now on.
    Nothing can undo them. ``PR_SET_NO_NEW_PRIVS`` must be set.

    Raises:
        OSError: the kernel refuses.
    """
    machine = platform.machine()
    # This comes first: the second filter forbids a further one. The strictest decides.
    _install(_pack(signals(machine, os.getpid())))
    _install(_code(machine))


def _install(code: bytes) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    pointer = ctypes.create_string_buffer(head, len(head))
    succeed(prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(pointer)))


@functools.cache
def _code(machine: str) -> bytes:
    return _pack(program(machine))


def _pack(lines: Iterable[_Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def signals(machine: str, pid: int) -> list[_Instruction]:
    """Return a filter that lets a process signal only itself, and allows all else.

    It is separate, so the other filter is the same for all processes and made once.

    Args:
        machine: the machine, by its name in ``platform.machine``.
        pid: the process's id.
    """
    numbers, _ = _sections(machine)
    own = _verdict(_low(0), _equal(pid))
    return [
        (_LOAD, 0, 0, _NUMBER),
        *(line for name in _SIGNALS for line in _only(numbers[name], own)),
        (_RETURN, 0, 0, _ALLOW),
    ]


def program(machine: str) -> list[_Instruction]:
    """Return the filter for a machine, by its name in ``platform.machine``."""
    own, unknown = _sections(machine)
    allowed = set(own) - _JUDGED.keys() - set(_UNKNOWN_NAMES)
    _, architecture, _ = _MACHINES[machine]
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JEQ, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        *_in_ranges((own[name] for name in allowed), _ALLOW),
        *_in_ranges(unknown, _UNKNOWN),
        *(line for name in _JUDGED for line in _only(own[name], _JUDGED[name])),
        # Calls of x32 belong to this architecture too, and set a bit above all numbers.
        (_JGE, 0, 1, 0x40000000),
        (_RETURN, 0, 0, _REFUSE),
        (_JGE, 0, 1, _NEWEST + 1),
        (_RETURN, 0, 0, _UNKNOWN),
        (_RETURN, 0, 0, _REFUSE),
    ]


@functools.cache
def _sections(machine: str) -> tuple[dict[str, int], tuple[int, ...]]:
    """Return the numbers by name, and those that are answered as unknown."""
    column = _MACHINES[machine][0]
    numbers: dict[str, int] = {}
    for line in _TABLE.read_text("ascii").splitlines():
        words = line.split()
        if words and words[0] != "#" and words[column] != "-":
            numbers[words[0]] = int(words[column])
    return numbers, tuple(numbers[name] for name in _UNKNOWN_NAMES)


def _in_ranges(numbers: Iterable[int], action: int) -> Iterator[_Instruction]:
    """Apply the action to calls of these numbers; others go on."""
    ascending = sorted(numbers)
    ends = [a for a, b in pairwise([*ascending, -1]) if b != a + 1]
    starts = [b for a, b in pairwise([-2, *ascending]) if b != a + 1]
    for start, end in zip(starts, ends, strict=True):
        yield (_JGE, 2, 0, end + 1)
        yield (_JGE, 0, 1, start)
        yield (_RETURN, 0, 0, action)


def _only(number: int, judge: list[_Instruction]) -> Iterator[_Instruction]:
    """Judge calls of this number; others go on."""
    yield (_JEQ, 0, len(judge), number)
    yield from judge


# These load the lower and the upper half of an argument's 64 bits. Both kinds of
# machines have the lower half first.
def _low(argument: int) -> _Instruction:
    return (_LOAD, 0, 0, 16 + 8 * argument)


def _high(argument: int) -> _Instruction:
    return (_LOAD, 0, 0, 20 + 8 * argument)


def _verdict(*tests: _Instruction) -> list[_Instruction]:
    """Allow calls that pass all tests.

    A test is an instruction that loads, or a jump whose two offsets are 1 where it
    passes and 0 where it does not.
    """
    lines = list(tests)
    for at, (code, passes, fails, value) in enumerate(lines):
        if code & 0x07 == 0x05:  # a jump; the last line refuses
            refuse = len(lines) - at
            lines[at] = (
                code,
                0 if passes else refuse,
                0 if fails else refuse,
                value,
            )
    return [*lines, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]


def _equal(value: int) -> _Instruction:
    return (_JEQ, 1, 0, value)


def _unequal(value: int) -> _Instruction:
    return (_JEQ, 0, 1, value)


def _one_of(values: Iterable[int]) -> list[_Instruction]:
    """Allow these values of the loaded word."""
    known = list(values)
    return [
        *((_JEQ, len(known) - at, 0, value) for at, value in enumerate(known)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]


# Calls that signal a process, which their first argument names.
_SIGNALS = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
# Calls that are judged by their arguments.
_JUDGED: dict[str, list[_Instruction]] = {
    "clone": _verdict(
        _low(0), (_JSET, 1, 0, _CLONE_THREAD), (_JSET, 0, 1, _CLONE_NAMESPACES)
    ),
    "prctl": [_low(0), *_one_of(_PRCTLS)],
    # Only questions about itself are allowed: root could raise limits again.
    "prlimit64": _verdict(_low(0), _equal(0), _low(2), _equal(0), _high(2), _equal(0)),
    "ioctl": _verdict(_low(1), *map(_unequal, _IOCTLS)),
    "fcntl": _verdict(_low(1), *map(_unequal, _FCNTLS)),
    # Datagram sockets are not allowed, because they can send to any named socket.
    "socketpair": _verdict(
        _low(0),
        _equal(_AF_UNIX),
        _low(1),
        (_AND, 0, 0, _SOCK_TYPE),
        _equal(_SOCK_STREAM),
    ),
    "sched_setaffinity": _verdict(_low(0), _equal(0)),
}
