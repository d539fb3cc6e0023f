"""The number of processor cores that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores in this process's affinity, or fewer by a quota.

    The quotas are those of cgroups.

    Args:
        root: the folder that holds ``proc/self/cgroup`` and ``sys/fs/cgroup``.
    """
    quotas = [quota for quota in _quotas(root) if quota > 0]
    return min(len(os.sched_getaffinity(0)), *(math.ceil(q) for q in quotas), 1 << 16)


def _quotas(root: Path) -> Iterator[float]:
    """Give the cores that each cgroup above this process allows, in version 1 or 2."""
    for controllers, group in _groups(root):
        if not controllers:
            mount, files = root / "sys/fs/cgroup", ["cpu.max"]
        elif "cpu" in controllers.split(","):
            mount = root / "sys/fs/cgroup/cpu"
            files = ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        path = PurePosixPath(group)
        # In a container the group's own path may be missing; its mount's root is there.
        for folder in (path, *path.parents):
            found = mount / folder.relative_to("/")
            try:
                words = " ".join((found / name).read_text() for name in files).split()
                quota, period = float(words[0]), float(words[1])
            except (OSError, ValueError, IndexError):  # "max", or no such group
                continue
            if period > 0:
                yield quota / period


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
