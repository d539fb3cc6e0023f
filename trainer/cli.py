"""The command ``trainer``: its group of commands, and the exit code of a signal.

The commands import slow modules only after they handle signals. Otherwise a Ctrl-C in
the middle of an import would end in a traceback.
"""

from __future__ import annotations

import click

from bundle import __version__
from bundle.terminal import Group
from trainer.commands.compare import compare
from trainer.commands.image import image
from trainer.commands.run import run
from trainer.interrupt import Interrupted


class _Group(Group):
    """Ends an interrupted command with 128 plus the signal, as a shell expects."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Interrupted as ex:
            click.echo(f"interrupted; nothing was written{ex.advice}", err=True)
            ctx.exit(128 + ex.number)


@click.group(cls=_Group)
@click.version_option(__version__, prog_name="trainer")
def main() -> None:
    """Train models on images and tables, and write them as TFaaS bundles."""


main.add_command(run)
main.add_command(image)
main.add_command(compare)
