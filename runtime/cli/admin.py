"""The options that name a server or a store, and the work on its models."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.core import ParameterSource

from bundle.errors import ModelNotFound
from bundle.objects.address import Place
from bundle.spec import ModelSpec
from bundle.terminal import StorePlace, WrongInput
from runtime.admin import Admin
from runtime.cli.server import AS_JSON, PROOF, read_token

_PLACE = (
    click.option(
        "--server",
        metavar="URL",
        envvar="MODELS_SERVER",
        show_envvar=True,
        help="Ask the service at this URL, such as http://localhost:8083.",
    ),
    click.option(
        "--models-dir",
        type=StorePlace(),
        metavar="DIR|URL",
        help="Work on this store, without a server.  [default: config.json's modelDir]",
    ),
    *PROOF,
    AS_JSON,
)


def on_models(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a place.

    The command gets the models of that place as its argument ``admin``.
    """

    @functools.wraps(command)
    def wrapped(
        server: str | None,
        models_dir: Place | None,
        cacert: Path | None,
        token_file: Path | None,
        token_header: str,
        **given: object,
    ) -> None:
        source = click.get_current_context().get_parameter_source("server")
        if models_dir and source is ParameterSource.ENVIRONMENT:
            server = None  # an option goes before a variable
        if server and models_dir:
            raise WrongInput("give --server or --models-dir, not both")
        place = (server, models_dir, cacert, token_file, token_header)
        with _opened(*place) as admin:
            command(admin, **given)

    for option in reversed(_PLACE):
        wrapped = option(wrapped)
    return wrapped


@contextmanager
def _opened(
    server: str | None,
    models_dir: Place | None,
    cacert: Path | None,
    token_file: Path | None,
    token_header: str,
) -> Iterator[Admin]:
    # The imports stand here, so that --help waits neither for httpx nor for the rooms.
    if server:
        from runtime.admin.remote import connect

        with connect(server, cacert, read_token(token_file), token_header) as remote:
            yield remote
        return
    if cacert:
        raise WrongInput("--cacert needs an https:// URL as --server")
    if token_file:
        raise WrongInput("--token-file needs a URL as --server")
    from runtime.admin.local import LocalAdmin
    from runtime.config import load_settings

    flags = {"model_dir": str(models_dir)} if models_dir else {}
    yield LocalAdmin(load_settings(flags=flags).config)


def number_of(admin: Admin, spec: ModelSpec) -> int:
    """Return the number of the version that a spec means."""
    if spec.version is not None:
        return spec.version
    model = admin.model(spec.name)
    if spec.label is None:
        return int(model["serves"])
    if spec.label not in model["labels"]:
        raise ModelNotFound(f"model {spec.name!r} has no label {spec.label!r}")
    return int(model["labels"][spec.label])
