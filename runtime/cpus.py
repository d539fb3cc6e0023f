"""The cores that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable_cpus(cgroups: Path = CGROUPS) -> int:
    """Whole cores, at least 1: those it may run on, and no more than its quota.

    A container's quota (``docker --cpus``, Kubernetes' limits) is no affinity: a
    process still sees all cores, and is stopped for the rest of each period if it uses
    more of them than it may.

    Args:
        cgroups: where the kernel shows this container's own control group.
    """
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    quota = _quota(cgroups)
    return min(cores, max(1, math.ceil(quota))) if quota else cores


def _quota(cgroups: Path) -> float | None:
    """Cores that are paid for; None if there is no limit, or none that is shown."""
    try:
        quota, period = (cgroups / "cpu.max").read_text().split()  # version 2
    except (OSError, ValueError):
        try:
            quota = (cgroups / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroups / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return None
    return cores if cores > 0 else None  # -1 is version 1's "max"
