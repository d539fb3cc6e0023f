"""The processor time that processes took, user and system, in seconds.

Other work of the machine makes a server slower, but changes its processor time little.
"""

from __future__ import annotations

import resource

import psutil


def of_descendants() -> float:
    """Add up the processor time of all processes below this one.

    Processes that have ended count, too: the kernel adds their time to the parent that
    waited for them, and keeps it until then. So the sum never falls. It leaves out this
    process and the children for which this process itself has waited.
    """
    while True:
        try:
            times = [
                process.cpu_times()
                for process in psutil.Process().children(recursive=True)
            ]
        except psutil.NoSuchProcess:
            # One has ended since it was listed. Its time is its parent's now, and the
            # parent may have been read before that.
            continue
        return float(
            sum(
                time.user + time.system + time.children_user + time.children_system
                for time in times
            )
        )


def of_ended_children() -> float:
    """Tell the processor time of all children for which this process has waited."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
