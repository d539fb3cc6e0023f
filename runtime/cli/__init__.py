"""The command ``runtime``: ``serve``, ``models``, ``token`` and ``tune``."""

import click

from bundle import __version__
from bundle.terminal import Group
from runtime.cli.models import models
from runtime.cli.serve import serve
from runtime.cli.token import token
from runtime.cli.tune import tune


@click.group(cls=Group)
@click.version_option(__version__, prog_name="runtime")
def main() -> None:
    """Serve the models of a store over HTTP."""


main.add_command(serve)
main.add_command(models)
main.add_command(token)
main.add_command(tune)
