"""A pause of Python's garbage collector, for the import of an engine."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the collector for a block, and then take what is there out of its work.

    An import of TensorFlow makes a million objects that live as long as the process.
    The collector would look through them again and again, which takes a seventh of the
    import's time, and once more in each later collection.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
