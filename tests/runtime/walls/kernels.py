"""This process gets an older kernel: it no longer knows some system calls.

A filter does it, which is written out here and does not come from the product.
"""

import ctypes
import platform
import struct

# These system calls ask the kernel for Landlock and for seccomp.
CALLS = {
    "x86_64": {"landlock": (444, 445, 446), "seccomp": (317,)},
    "aarch64": {"landlock": (444, 445, 446), "seccomp": (277,)},
}
_ALLOW, _UNKNOWN = 0x7FFF0000, 0x00050000 | 38  # 38 is ENOSYS


def without(kinds):
    """Be a kernel without Landlock, or without seccomp's own system call."""
    for kind in kinds:
        for number in CALLS[platform.machine()][kind]:
            lines = (
                struct.pack("=HBBI", 0x20, 0, 0, 0),  # this loads the call's number
                struct.pack("=HBBI", 0x15, 0, 1, number),
                struct.pack("=HBBI", 0x06, 0, 0, _UNKNOWN),
                struct.pack("=HBBI", 0x06, 0, 0, _ALLOW),
            )
            code = ctypes.create_string_buffer(b"".join(lines))
            head = struct.pack("@HP", len(lines), ctypes.addressof(code))
            pointer = ctypes.create_string_buffer(head)
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.prctl(38, 1, 0, 0, 0) == 0  # this is PR_SET_NO_NEW_PRIVS
            assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(pointer))) == 0
