"""Memory that a load took and freed is given back to the system."""

from __future__ import annotations

import ctypes


def give_memory_back() -> None:
    """Have malloc return its free memory; some C libraries cannot, and do nothing.

    To read a model takes its size twice: ONNX Runtime parses the file, packs the
    weights again, and frees the parsed copy. glibc keeps that memory for later: 16 MB
    for MobileNetV2's 14, in each worker. The call takes 2 ms.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own
    if trim is not None:
        trim(0)
