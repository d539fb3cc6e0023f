"""Show the steps of the work: one changing line on a terminal, else plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from exporter.child.run import Tell


@contextmanager
def progress() -> Iterator[Tell]:
    """Show steps on standard error, until the end of the block.

    Yields:
        A function to call with each step.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: console.print(f"  {step}", highlight=False, markup=False)
        return
    with console.status("starting") as status:
        yield lambda step: status.update(step)
