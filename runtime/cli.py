"""``runtime serve``: config.json -> app -> server."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from bundle import __version__
from bundle.store import ModelStore
from bundle.terminal import Failed, Group, WrongInput
from runtime.admin.cli import models
from runtime.config import Config, load_config


@click.group(cls=Group)
@click.version_option(__version__, prog_name="runtime")
def main() -> None:
    """Serve the models of a store over HTTP."""


main.add_command(models)


@main.command()
@click.option("--host", help="Address to listen on; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--models-dir", type=click.Path(path_type=Path), help="The store.")
def serve(host: str | None, port: int | None, models_dir: Path | None) -> None:
    """Serve in the foreground; config.json, and then flags, say how."""
    flags = {"host": host, "port": port, "model_dir": models_dir}
    given = {name: value for name, value in flags.items() if value is not None}
    _serve(dataclasses.replace(load_config(), **given))  # type: ignore[arg-type]


def _serve(config: Config) -> None:
    # Here, so that --help does not wait for onnxruntime.
    import waitress

    from runtime.app import get_app

    application = get_app(config)
    try:
        server = waitress.create_server(
            application,
            host=config.host,
            port=config.port,
            threads=config.threads,
            max_request_body_size=max(config.max_upload_bytes, config.max_body_bytes),
            ident=None,
        )
    except OSError as ex:
        raise Failed(
            f"cannot listen on {config.host} port {config.port}: {ex.strerror}"
        ) from ex
    except ValueError as ex:  # what waitress makes of a name that it cannot look up
        raise WrongInput(f"there is no address {config.host!r} to listen on") from ex
    models = len(ModelStore(config.model_dir).names())
    click.echo(
        f"serving {config.model_dir}/ ({models} models) on"
        f" http://{config.host}:{server.effective_port}{config.base}/  (Ctrl-C stops)"
    )
    server.run()
