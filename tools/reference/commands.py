"""The commands, each with its ``--help``, as click has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

import click

# The commands of pyproject.toml's [project.scripts], and where each one is.
COMMANDS = {
    "trainer": "trainer.cli",
    "exporter": "exporter.cli",
    "runtime": "runtime.cli",
}
# The width of the help texts, in characters.
_WIDTH = 100


def block(arguments: Sequence[str]) -> str:
    """The help of each command below the one that is named, itself included."""
    (name,) = arguments
    main = import_module(COMMANDS[name]).main
    return "\n\n".join(
        f"### `{path}`\n\n```text\n{_help(command, path)}\n```"
        for path, command in walk(main, name)
    )


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, each with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, "the group lists it"
            yield from walk(below, f"{path} {name}")


def _help(command: click.Command, path: str) -> str:
    context = click.Context(
        command, info_name=path, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)
