"""The options that name a server, and the client that asks it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import click

from bundle.terminal import WrongInput
from runtime.admin import TOKEN_VARIABLE
from runtime.cli.output import sentences

# A person waits for these commands; an upload takes longer.
_SECONDS = 30.0

PROOF = (
    click.option(
        "--cacert",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Trust the authority in this PEM file for an https:// server.",
    ),
    click.option(
        "--token-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Send the token in this file to the service.  [default:"
        f" ${TOKEN_VARIABLE}]",
    ),
    click.option(
        "--token-header",
        metavar="NAME",
        default="Authorization",
        show_default=True,
        help="Send the token in this header, the service's tokenHeader.",
    ),
)

AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON on standard output."
)

_SERVER = click.option(
    "--url",
    "--server",
    "url",
    metavar="URL",
    envvar="MODELS_SERVER",
    show_envvar=True,
    default="http://localhost:8083",
    show_default=True,
    help="Ask the service at this URL.",
)


def on_server(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a server.

    The command gets a ``tfaas_onnx.Client`` of that server as its argument ``client``.
    """

    @functools.wraps(command)
    def wrapped(
        url: str,
        cacert: Path | None,
        token_file: Path | None,
        token_header: str,
        **given: object,
    ) -> None:
        # The import stands here, so that --help does not wait for httpx.
        from runtime.admin.remote import open_client, told

        place = (url, cacert, read_token(token_file), token_header, _SECONDS)
        with sentences(), open_client(*place) as client, told(client):
            command(client, **given)

    for option in reversed((_SERVER, *PROOF, AS_JSON)):
        wrapped = option(wrapped)
    return wrapped


def read_token(file: Path | None) -> str:
    """Read the token from a file or the environment.

    It never stands in the command line, because all users of a machine see that.

    Raises:
        WrongInput: the file holds no token.
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE, "").strip()
    try:
        words = file.read_text(encoding="utf-8").split()
    except OSError as ex:
        raise WrongInput(f"--token-file {file} cannot be read: {ex.strerror}") from ex
    except ValueError as ex:
        raise WrongInput(f"--token-file {file} is not a text") from ex
    if len(words) != 1:
        has = "several lines or words" if words else "nothing"
        raise WrongInput(f"--token-file {file} has {has}; put one token alone into it")
    return words[0]
