"""The memory that this process may use, and its return to the system."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from runtime.process.cgroups import Limit, words_of

_MEMORY = Limit("memory", "memory.max", ("memory.limit_in_bytes",))


def usable_memory(root: Path = Path("/")) -> int:
    """Return the bytes of the machine's memory, or fewer by a cgroup's limit.

    Args:
        root: the folder that holds ``proc/self/cgroup`` and ``sys/fs/cgroup``.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # A group without a limit says "max".
    limits = [
        int(words[0])
        for words in words_of(_MEMORY, root)
        if words and words[0].isdecimal()
    ]
    return min([machine, *limits])


def give_memory_back() -> None:
    """Have malloc return its free memory; some C libraries cannot, and do nothing.

    To read a model takes its size twice: ONNX Runtime parses the file, packs the
    weights again, and frees the parsed copy. glibc keeps that memory for later: 16 MB
    for MobileNetV2's 14, in each worker. The call takes 2 ms.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own
    if trim is not None:
        trim(0)
