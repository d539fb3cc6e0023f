"""The command ``runtime``: the service, and the work with one from a terminal."""

import click

from bundle import __version__
from bundle.store import LISTS
from bundle.terminal import Failed, Group, WrongInput
from runtime.cli.bundle import bundle
from runtime.cli.models import models
from runtime.cli.predict import predict
from runtime.cli.score import score
from runtime.cli.serve import serve
from runtime.cli.status import status
from runtime.cli.token import token
from runtime.cli.top import top
from runtime.cli.tune import tune


class _Runtime(Group):
    """The commands; their errors name a command where the service's name a route."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (Failed, WrongInput) as ex:
            # A server's own sentences come here, too.
            told = ex.message.replace(LISTS, "'runtime models list' lists")
            raise type(ex)(told) from ex


@click.group(cls=_Runtime)
@click.version_option(__version__, "--version", "-version", prog_name="runtime")
def main() -> None:
    """Serve the models of a store over HTTP, and ask such a service."""


main.add_command(serve)
main.add_command(models)
main.add_command(bundle)
main.add_command(predict)
main.add_command(score)
main.add_command(status)
main.add_command(top)
main.add_command(token)
main.add_command(tune)
