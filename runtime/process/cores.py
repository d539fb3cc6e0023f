"""The number of processor cores that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from runtime.process.cgroups import Limit, words_of

_CPU = Limit("cpu", "cpu.max", ("cpu.cfs_quota_us", "cpu.cfs_period_us"))


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores in this process's affinity, or fewer by a quota.

    The quotas are those of cgroups.

    Args:
        root: the folder that holds ``proc/self/cgroup`` and ``sys/fs/cgroup``.
    """
    quotas = [quota for quota in _quotas(root) if quota > 0]
    return min(len(os.sched_getaffinity(0)), *(math.ceil(q) for q in quotas), 1 << 16)


def _quotas(root: Path) -> Iterator[float]:
    """Give the cores that each cgroup above this process allows."""
    for words in words_of(_CPU, root):
        try:
            quota, period = float(words[0]), float(words[1])
        except (ValueError, IndexError):  # "max"
            continue
        if period > 0:
            yield quota / period
