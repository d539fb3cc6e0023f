"""Progress bars on standard error, if somebody looks at it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.admin import Transfer
from runtime.cli.output import say

# A log that nobody looks at gets a line in so many seconds.
_LINE_SECONDS = 10.0


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


@contextmanager
def scoring(
    total: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is told how many items are done, and how many were rejected.

    On a terminal a bar shows them, the items a second and the time left. Else there is
    a line at the first call, and then a line in ten seconds at most.

    Args:
        total: the number of items.
        clock: a clock in seconds that never goes back.
    """
    if not sys.stderr.isatty():
        last = float("-inf")

        def tell(done: int, rejected: int) -> None:
            nonlocal last
            if clock() - last >= _LINE_SECONDS:
                last = clock()
                say(f"{done} of {total} items, {rejected} rejected")

        yield tell
        return
    from rich import progress
    from rich.console import Console

    with progress.Progress(
        progress.TextColumn("scoring"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rejected]} rejected"),
        progress.TextColumn("{task.fields[rate]} items/s"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=total, rejected=0, rate="?")

        def show(done: int, rejected: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f}" if speed else "?"
            bar.update(task, completed=done, rejected=rejected, rate=rate)

        yield show
