"""The kernel's headers and libseccomp confirm the filter's table and program."""

import ctypes
import ctypes.util
import platform
import re
import struct
from pathlib import Path

import pytest

from runtime.walls import seccomp
from tests.runtime.walls.child import said_by

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
LIBRARY = ctypes.util.find_library("seccomp")
COLUMN = {"x86_64": 1, "aarch64": 2}
# linux/audit.h defines AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64.
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
TABLE = Path(seccomp.__file__).with_name("syscalls.txt")
ALLOWED, KILLED = 0x7FFF0000, 0x80000000
REFUSED, UNKNOWN = 0x00050001, 0x00050026
# These calls may be newer than the libraries and headers of this machine.
NEW = {"mseal", "map_shadow_stack", "cachestat"}


def numbers(machine):
    rows = [line.split() for line in TABLE.read_text().splitlines()]
    column = COLUMN[machine]
    return {r[0]: r[column] for r in rows if r and r[0] != "#" and r[column] != "-"}


@pytest.mark.skipif(LIBRARY is None, reason="there is no libseccomp")
@pytest.mark.parametrize("machine", COLUMN)
def test_numbers_are_those_of_libseccomp(machine):
    resolve = ctypes.CDLL(LIBRARY).seccomp_syscall_resolve_name_arch
    resolve.argtypes = (ctypes.c_uint32, ctypes.c_char_p)
    ours = numbers(machine)
    theirs = {n: str(resolve(ARCHITECTURE[machine], n.encode())) for n in ours}
    known = {n for n in ours if n not in NEW or theirs[n] != "-1"}
    assert {n: ours[n] for n in known} == {n: theirs[n] for n in known}


@pytest.mark.skipif(not HEADERS["x86_64"].is_file(), reason="there are no headers")
def test_numbers_are_those_of_the_kernels_headers():
    text = HEADERS["x86_64"].read_text()
    theirs = dict(re.findall(r"#define __NR_(\w+) (\d+)", text))
    ours = numbers("x86_64")
    assert {n: theirs.get(n, ours[n]) for n in ours} == ours


def decide(number, arguments=(), architecture=None):
    """Return the kernel's action after both filters: the stricter of the two."""
    machine = platform.machine()
    filters = (seccomp.signals(machine, 77), seccomp.program(machine))
    said = {run(one, number, arguments, architecture) for one in filters}
    return max(said - {ALLOWED}, default=ALLOWED)


def run(program, number, arguments, architecture):
    """Return the answer of a classic BPF program, by a small interpreter."""
    known = ARCHITECTURE[platform.machine()]
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=iIQ6Q", number, architecture or known, 0, *words)
    value, at = 0, 0
    while True:
        code, passes, fails, k = program[at]
        at += 1
        if code == 0x06:
            return k
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, k)
        elif code == 0x54:
            value &= k
        else:
            test = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            at += passes if test else fails


here = pytest.mark.skipif(
    platform.machine() not in COLUMN, reason="no table for this machine"
)


@here
def test_all_numbers_are_answered_as_the_table_has_them():
    of = numbers(platform.machine())
    judged = {
        *("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "clone", "prctl"),
        *("prlimit64", "ioctl", "fcntl", "socketpair", "sched_setaffinity"),
    }
    unknown = {int(of[name]) for name in ("clone3", "flock")}
    allowed = {int(of[n]) for n in of if n not in judged} - unknown
    for number in set(range(463)) - {int(of[n]) for n in judged}:
        expected = ALLOWED if number in allowed else REFUSED
        if number in unknown:
            expected = UNKNOWN
        assert decide(number) == expected, number
    assert decide(463) == decide(5000) == UNKNOWN
    # These are numbers of x32, and calls of 32 bits.
    assert decide(0x40000000 + int(of["write"])) == REFUSED
    assert decide(int(of["write"]), architecture=0x40000003) == KILLED


THREAD = 0x003D0F00  # pthread_create of glibc
CASES = [
    ("kill", (77, 9), ALLOWED),
    ("kill", (78, 9), REFUSED),
    ("kill", (0, 9), REFUSED),
    ("kill", (2**64 - 1, 9), REFUSED),
    ("tgkill", (77, 80, 9), ALLOWED),
    ("tgkill", (1, 1, 9), REFUSED),
    ("clone", (THREAD,), ALLOWED),
    ("clone", (17,), REFUSED),  # fork
    ("clone", (THREAD | 0x40000000,), REFUSED),  # with a network of its own
    ("prctl", (15,), ALLOWED),
    ("prctl", (1,), REFUSED),
    ("prctl", (22,), REFUSED),
    ("prlimit64", (0, 7, 0, 1), ALLOWED),
    ("prlimit64", (0, 7, 1 << 32), REFUSED),
    ("prlimit64", (0, 7, 1), REFUSED),
    ("prlimit64", (5, 7, 0), REFUSED),
    ("ioctl", (0, 0x5401), ALLOWED),
    ("ioctl", (0, 0x5412), REFUSED),  # types into a terminal
    ("fcntl", (0, 3), ALLOWED),
    ("fcntl", (0, 8), REFUSED),
    ("fcntl", (0, 1024), REFUSED),  # a lease makes other opens wait
    ("socketpair", (1, 1), ALLOWED),
    ("socketpair", (1, 1 | 0x80000), ALLOWED),  # closed on exec
    ("socketpair", (1, 2), REFUSED),
    ("socketpair", (2, 1), REFUSED),
    ("sched_setaffinity", (0,), ALLOWED),
    ("sched_setaffinity", (5,), REFUSED),
]


@here
@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_some_are_judged_by_their_arguments(name, arguments, expected):
    number = int(numbers(platform.machine())[name])
    assert decide(number, arguments) == expected


@here
def test_the_kernel_takes_no_jump_that_leads_astray():
    program = seccomp.program(platform.machine())
    assert len(program) < 4096
    for at, (code, passes, fails, _) in enumerate(program):
        if code & 7 == 5:
            assert at + 1 + max(passes, fails) < len(program)
            assert max(passes, fails) < 256


@pytest.mark.slow
@pytest.mark.skipif(not seccomp.is_available(), reason="no filters here")
def test_a_process_of_several_threads_is_not_walled_off_in_part():
    script = """
import threading
from runtime.walls import (Room, enclose)
end = threading.Event()
threading.Thread(target=end.wait).start()
try:
    enclose(Room((), (), 1 << 20), "auto")
except RuntimeError as ex:
    print(ex)
end.set()
"""
    assert said_by(script) == "walls bind one thread, and this process has 2\n"


@pytest.mark.slow
@pytest.mark.skipif(not seccomp.is_available(), reason="no filters here")
def test_a_filter_that_the_kernel_refuses_is_no_wall():
    """The kernel takes no filter without a line."""
    script = """
from runtime.walls import Room, WallsError, enclose, seccomp
seccomp.signals = lambda machine, pid: []
try:
    print(enclose(Room((), (), 1 << 20), "auto"))
except WallsError as ex:
    print(ex)
"""
    assert said_by(script) == (
        "the walls that this kernel offers could not be built: Invalid argument\n"
    )
