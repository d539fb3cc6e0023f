"""Rights given up: another user in root's place, and no privileges of root's."""

from __future__ import annotations

import os
import pwd
import signal
import struct
from collections.abc import Iterable
from ctypes import addressof, create_string_buffer
from pathlib import Path

from runtime.config import ConfigError
from runtime.walls.libc import capget, capset, prctl, succeed

# linux/prctl.h and linux/capability.h.
_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG = 1, 2
_PR_SET_KEEPCAPS = 8
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1 << 1, 1 << 2
_CAPABILITIES_V3 = 0x20080522


def check(user: str) -> None:
    """See that a process can become this user; empty is as it is.

    Raises:
        ConfigError: there is none of this name, it is root, or this process is not
            root, who alone can become another.
    """
    if not user:
        return
    if os.geteuid() != 0:
        raise ConfigError(
            f"'runAsUser' is {user!r}, and this process is not root's, who alone can"
            " become another user; start it as root, or leave the setting out"
        )
    if _entry(user).pw_uid == 0:
        raise ConfigError("'runAsUser' is root; it must be a user without privileges")


def _entry(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(
            f"'runAsUser' is {user!r}, and this machine has no such user; make it with"
            f" 'useradd --system {user}', or leave the setting out"
        ) from None


def become(user: str, folders: Iterable[Path], *, is_bounded: bool) -> None:
    """Become a user, and give up what root may do besides.

    Root's store, and a Python in a folder of root's, must be readable all the same. So,
    where Landlock bounds what can be opened, the process keeps the privilege to read
    others' files, or, if it lacks that one, as in many containers, the one to open
    them. Without Landlock only a process that stays root's keeps it.

    Args:
        user: empty is as it is, without root's privileges.
        folders: to be given to the user before.
        is_bounded: Landlock will bound what can be opened.

    Raises:
        ConfigError: see ``check``.
        OSError: the kernel refuses.
    """
    check(user)
    if user:
        entry = _entry(user)
        for folder in folders:
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        succeed(prctl(_PR_SET_KEEPCAPS, 1))
        # With another user the kernel forgets that this process ends with its parent.
        parent, word = os.getppid(), create_string_buffer(4)
        succeed(prctl(_PR_GET_PDEATHSIG, addressof(word)))
        os.setgroups([])
        os.setresgid(*[entry.pw_gid] * 3)
        os.setresuid(*[entry.pw_uid] * 3)
        (ending,) = struct.unpack("@i", word.raw)
        if ending:
            succeed(prctl(_PR_SET_PDEATHSIG, ending))
            if os.getppid() != parent:  # it ended in between
                os.kill(os.getpid(), signal.SIGKILL)
    kept = [_CAP_DAC_READ_SEARCH] * (is_bounded or not user)
    _keep([*kept, *[_CAP_DAC_OVERRIDE] * is_bounded])


def _keep(wanted: Iterable[int]) -> None:
    """Give up all capabilities but the first of these that there is."""
    head = create_string_buffer(struct.pack("@Ii", _CAPABILITIES_V3, 0), 8)
    # Effective, permitted and inheritable; those from 32 on in three more words.
    held = create_string_buffer(24)
    succeed(capget(addressof(head), addressof(held)))
    (permitted,) = struct.unpack_from("@I", held, 4)
    kept = next((capability for capability in wanted if permitted & capability), 0)
    data = create_string_buffer(struct.pack("@6I", kept, kept, 0, 0, 0, 0), 24)
    succeed(capset(addressof(head), addressof(data)))
