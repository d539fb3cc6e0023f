"""Kernels that have less: in this process, these system calls are unknown from now on.

By a filter that is written out here, and is none of the product's.
"""

import ctypes
import platform
import struct

# For each kind, the system calls by which it is asked for.
CALLS = {
    "x86_64": {"landlock": (444, 445, 446), "seccomp": (317,)},
    "aarch64": {"landlock": (444, 445, 446), "seccomp": (277,)},
}
_ALLOW, _UNKNOWN = 0x7FFF0000, 0x00050000 | 38  # ENOSYS


def without(kinds):
    """Be a kernel without Landlock, or without seccomp's own system call."""
    for kind in kinds:
        for number in CALLS[platform.machine()][kind]:
            lines = (
                struct.pack("=HBBI", 0x20, 0, 0, 0),  # load the number
                struct.pack("=HBBI", 0x15, 0, 1, number),
                struct.pack("=HBBI", 0x06, 0, 0, _UNKNOWN),
                struct.pack("=HBBI", 0x06, 0, 0, _ALLOW),
            )
            code = ctypes.create_string_buffer(b"".join(lines))
            head = struct.pack("@HP", len(lines), ctypes.addressof(code))
            pointer = ctypes.create_string_buffer(head)
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
            assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(pointer))) == 0
