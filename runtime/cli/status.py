"""``runtime status``: a server's machine, process and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime.cli.output import print_json
from runtime.cli.server import on_server

if TYPE_CHECKING:
    from tfaas_onnx import Client


@click.command()
@on_server
def status(client: Client, as_json: bool) -> None:
    """Show whether a server is ready, and what it does.

    The command exits with 1 if the server cannot be reached or fails, and with 2 if it
    refuses the token.
    """
    from runtime.cli.table import print_status

    told = {"ready": client.ready(), **client.status()}
    print_json(told) if as_json else print_status(client.place, told)
