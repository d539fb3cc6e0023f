"""Progress bars on standard error, if somebody looks at it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.admin import Transfer


@contextmanager
def shown(transfer: Transfer, what: str) -> Iterator[Transfer]:
    """Give the same transfer, with a bar that shows during the block how far it is."""
    if not sys.stderr.isatty():
        yield transfer
        return
    from rich import progress
    from rich.console import Console

    with progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(what, total=transfer.length)

        def watched() -> Iterator[bytes]:
            for chunk in transfer.chunks:
                yield chunk
                bar.advance(task, len(chunk))

        yield Transfer(watched(), transfer.length)


@contextmanager
def counted(total: int, what: str, least: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told of things done; a bar shows how many there are.

    Args:
        total: the number of things.
        what: the work, for people.
        least: the number of things up to which no bar is worth its lines.
    """
    if total <= least or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich import progress
    from rich.console import Console

    with progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
