"""The command ``runtime``: the service, and the work with one from a terminal."""

from importlib import import_module

import click

from bundle import __version__
from bundle.terminal import Failed, Group, WrongInput

# Each command stands in the module of its name. It is imported when somebody asks for
# it: a container runs ``healthcheck`` every few seconds, and all imports together take
# longer than its own.
COMMANDS = (
    "bundle",
    "doctor",
    "healthcheck",
    "models",
    "predict",
    "score",
    "serve",
    "status",
    "token",
    "top",
    "tune",
)


class _Runtime(Group):
    """The commands; their errors name a command where the service's name a route."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"runtime.cli.{cmd_name}"), cmd_name)
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (Failed, WrongInput) as ex:
            from bundle.store_errors import LISTS

            # A server's own sentences come here, too.
            told = ex.message.replace(LISTS, "'runtime models list' lists")
            raise type(ex)(told) from ex


@click.group(cls=_Runtime)
@click.version_option(__version__, "--version", "-version", prog_name="runtime")
def main() -> None:
    """Serve the models of a store over HTTP, and ask such a service."""
