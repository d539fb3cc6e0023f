"""Rights are given up: root becomes another user, without root's privileges."""

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
    """Check that a process can become this user; an empty name changes nothing.

    Raises:
        ConfigError: there is no such user, it is root, or this process is not root,
            and only root can become another user.
    """
    if not user:
        return
    if os.geteuid() != 0:
        raise ConfigError(
            f"'runAsUser' is {user!r}, and this process is not root's; root alone can"
            " become another user: start it as root, or leave the setting out"
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
    """Become a user, and give up root's privileges.

    Root's store, and a Python in one of root's folders, must stay readable. So, where
    Landlock limits the files that can be opened, the process keeps the privilege to
    read others' files. If it lacks that one, as in many containers, it keeps the one to
    open them. Without Landlock, only a process that stays root keeps the first one.

    Args:
        user: the user; empty keeps the user, without root's privileges.
        folders: the folders that are given to the user before.
        is_bounded: whether Landlock will limit the files that can be opened.

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
            if os.getppid() != parent:  # the parent ended in between
                os.kill(os.getpid(), signal.SIGKILL)
    kept = [_CAP_DAC_READ_SEARCH] * (is_bounded or not user)
    _keep([*kept, *[_CAP_DAC_OVERRIDE] * is_bounded])


def _keep(wanted: Iterable[int]) -> None:
    """Give up all capabilities but the first of these that the process has."""
    head = create_string_buffer(struct.pack("@Ii", _CAPABILITIES_V3, 0), 8)
    # The words are effective, permitted and inheritable; three more hold those from 32.
    held = create_string_buffer(24)
    succeed(capget(addressof(head), addressof(held)))
    (permitted,) = struct.unpack_from("@I", held, 4)
    kept = next((capability for capability in wanted if permitted & capability), 0)
    data = create_string_buffer(struct.pack("@6I", kept, kept, 0, 0, 0, 0), 24)
    succeed(capset(addressof(head), addressof(data)))
