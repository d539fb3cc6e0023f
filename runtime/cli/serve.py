"""``runtime serve``: the service in the foreground."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from bundle import __version__
from bundle.terminal import WrongInput
from runtime.cli.ray import take_ray_options, with_ray_options
from runtime.config import Config, Settings, key, load_settings, option, parse


def as_json(value: object) -> object:
    """Return a setting as a value of config.json."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


# These keys have another name in the other commands of this project.
_ALIASES = {"model_dir": ["--models-dir"]}


_Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def with_flags(*, hidden: bool = False) -> _Decorator:
    """Add a flag for each key of the config, in the order of the keys.

    Args:
        hidden: leave them out of ``--help``.
    """

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for key_field in reversed(fields(Config)):
            command = _flag(key_field, hidden)(command)
        return command

    return add


def _flag(of: Field[Any], hidden: bool) -> _Decorator:
    default = as_json(getattr(Config(), of.name))
    shown = default if isinstance(default, str) else json.dumps(default)
    is_switch = isinstance(default, bool)
    name = option(of.name)
    switch = f"{name}/{name.replace('--', '--no-', 1)}"
    return click.option(
        switch if is_switch else name,
        *_ALIASES.get(of.name, []),
        of.name,
        help=of.metadata["what"]
        + (f"  [{shown}]" if default not in ("", [], {}) else ""),
        metavar=None if is_switch else of.name.rpartition("_")[2].upper(),
        default=None,
        hidden=hidden,
    )


config_option = click.option(
    "--config",
    "-config",
    "file",
    metavar="FILE",
    help="Read the settings from this file.  [default: config.json]",
)


@click.command()
@with_flags()
@config_option
@click.version_option(__version__, "--version", "-version", prog_name="runtime")
@click.option("--print-config", is_flag=True, help="Show the settings, and end.")
@click.option("--json", "as_program", is_flag=True, help="Show the settings as JSON.")
@with_ray_options
def serve(
    print_config: bool,
    as_program: bool,
    file: str | None,
    ray: bool,
    **flags: Any,
) -> None:
    """Serve in the foreground.

    A flag goes before a variable TFAAS_<KEY>. A variable goes before config.json, and
    config.json goes before the default in brackets. SIGHUP lets the service read
    config.json anew.

    With --ray, replicas on Ray serve. On the cluster --address the command ends when
    they answer, and the cluster goes on serving. The same command with other settings
    replaces them, and no request is lost.
    """
    if as_program and not print_config:
        raise WrongInput("--json needs --print-config, whose format it sets")
    on_ray = take_ray_options(flags, is_asked=ray)
    read = functools.partial(load_settings, os.environ, given(flags), file)
    settings = read()
    if print_config:
        from runtime.preflight import check_config

        _print(settings, as_program)
        for doubt in (*settings.doubts, *check_config(settings.config)):
            click.echo(f"warning: {doubt}", err=True)
        return
    # The imports stand here, so that --help and --print-config do not wait for them.
    if on_ray is not None:
        from runtime.ray.foreground import serve as serve_on_ray
        from runtime.ray.foreground import stop

        if on_ray.is_end:
            stop(on_ray.address)
            return
        serve_on_ray(settings.config, settings.doubts, on_ray.scale, on_ray.address)
        return
    from runtime.server import serve as serve_until_told

    serve_until_told(settings, read)


def given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given, as JSON values by field name."""
    return {
        name: parse(name, value) if isinstance(value, str) else value
        for name, value in flags.items()
        if value is not None
    }


def _print(settings: Settings, as_program: bool) -> None:
    shown = {
        key(name): {"value": as_json(getattr(settings.config, name)), "source": source}
        for name, source in settings.sources.items()
    }
    if as_program:
        click.echo(json.dumps(shown, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("key", "value", "source", box=None)
    for name, setting in shown.items():
        value = setting["value"]
        text = value if isinstance(value, str) else json.dumps(value)
        # rich reads words in brackets of a str as markup, but not those of a Text.
        table.add_row(name, Text(text), Text(str(setting["source"])))
    console = Console()
    if not console.is_terminal:  # no line is folded in a pipe
        console = Console(width=1000)
    console.print(table)
