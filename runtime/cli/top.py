"""``runtime top``: the load of a server's models, live."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from runtime.cli.output import print_json
from runtime.cli.server import on_server

if TYPE_CHECKING:
    from tfaas_onnx import Client


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Measure over this time.",
)
@click.option("--once", is_flag=True, help="Measure once, print, and end.")
@on_server
def top(client: Client, interval: float, once: bool, as_json: bool) -> None:
    """Show the load of each model, the busiest first.

    The columns are requests per second, the median and the 99th percentile of their
    time, the mean wait for the engine, failed requests per second, the size of the
    files in memory, and the engine. The table is measured anew until Ctrl-C ends it. It
    is printed once on anything but a terminal, and with --json.
    """
    from rich.console import Console
    from rich.live import Live

    from runtime.admin.load import Watch
    from runtime.cli.load_table import load_table, print_load

    watch = Watch(client)
    console = Console()
    if once or as_json or not console.is_terminal:
        time.sleep(interval)
        load = watch.measure()
        print_json(load) if as_json else print_load(load)
        return
    try:
        with Live(console=console, auto_refresh=False) as live:
            live.update("measuring …", refresh=True)
            while True:
                time.sleep(interval)
                live.update(load_table(watch.measure()), refresh=True)
    except KeyboardInterrupt:
        return  # this is the way to end it
