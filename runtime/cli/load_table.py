"""The table of ``runtime top``."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bundle.terminal import printable
from runtime.admin.load import Load
from runtime.cli.quantity import duration, plain, rate, size
from runtime.cli.table import console_of_stdout


def print_load(load: Load) -> None:
    """Print the load of each model once."""
    console_of_stdout().print(load_table(load))


def load_table(load: Load) -> Group:
    """Make the table of ``runtime top``, which fits into 80 columns."""
    facts = (
        ("up", duration(load.uptime_seconds)),
        ("workers", plain(load.workers)),
        ("in progress", str(load.in_progress)),
        ("cores", _percent(load.cpu_percent)),
        ("memory", _percent(load.memory_percent)),
        ("models", size(load.loaded_bytes)),
    )
    head = "  ".join(f"{name} {fact}" for name, fact in facts if fact)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    # A narrow terminal shortens the columns that may wrap: names, and no number.
    table.add_column("model", overflow="ellipsis")
    for heading in ("req/s", "p50", "p99", "queue", "err/s", "memory"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=6)
    table.add_column("engine", overflow="ellipsis")
    for model in load.models:
        cells = (
            model.model,
            rate(model.requests_per_second),
            duration(model.p50_seconds),
            duration(model.p99_seconds),
            duration(model.queue_seconds),
            rate(model.errors_per_second),
            "" if model.bytes is None else size(model.bytes),
            model.engine,
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    lines = (Text(printable(line)) for line in (load.place, head))
    return Group(*lines, table if load.models else Text("there are no models"))


def _percent(number: float | None) -> str:
    return "" if number is None else f"{number:.0f}%"
