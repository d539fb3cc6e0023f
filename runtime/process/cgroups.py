"""The limits of the cgroups that hold this process, in version 1 or 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Limit(NamedTuple):
    """One kind of limit.

    Attributes:
        controller: its controller's name in version 1.
        file: the file that holds it in version 2.
        files: the files that hold it in version 1.
    """

    controller: str
    file: str
    files: tuple[str, ...]


def words_of(limit: Limit, root: Path = Path("/")) -> Iterator[list[str]]:
    """Give what the files of a limit say, for each cgroup above this process.

    Args:
        limit: the limit.
        root: the folder that holds ``proc/self/cgroup`` and ``sys/fs/cgroup``.
    """
    for controllers, group in _groups(root):
        mount, files = root / "sys/fs/cgroup", limit.files
        if not controllers:
            files = (limit.file,)
        elif limit.controller in controllers.split(","):
            mount /= limit.controller
        else:
            continue
        path = PurePosixPath(group)
        # In a container the group's own path may be missing; its mount's root is there.
        for folder in (path, *path.parents):
            found = mount / folder.relative_to("/")
            try:
                yield " ".join((found / name).read_text() for name in files).split()
            except OSError:  # no such group
                continue


def _groups(root: Path) -> Iterator[tuple[str, str]]:
    """Give the controllers and the group in each line of /proc/self/cgroup."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if group.startswith("/") and ".." not in group:
            yield controllers, group
