"""``runtime models …``: the work of the model routes, from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundle.spec import ModelSpec
from bundle.terminal import Failed, WrongInput
from runtime.admin import Admin
from runtime.cli.admin import number_of, on_models
from runtime.cli.labels import checked_label, label, rollback
from runtime.cli.output import echo, print_answer, print_json, say, sentences
from runtime.cli.spec import ANY, VERSION
from runtime.cli.wishes import with_wishes

if TYPE_CHECKING:  # --help must not wait for an engine.
    from runtime.bundling.wishes import Wishes


class _Group(click.Group):
    """Commands that exit with 1 if the work failed, and with 2 if the input is bad."""

    def invoke(self, ctx: click.Context) -> object:
        with sentences():
            return super().invoke(ctx)


@click.group(cls=_Group)
def models() -> None:
    """Look at and change the models of a server, or of a store folder.

    With --server, or the variable MODELS_SERVER, the commands ask a server over HTTP.
    Else they work on the store that --models-dir or config.json names; a service may
    serve that store meanwhile. A command exits with 1 if the work failed, and with 2
    if an argument is wrong.
    """


models.add_command(label)
models.add_command(rollback)


@models.command("list")
@on_models
def list_models(admin: Admin, as_json: bool) -> None:
    """List the models, and how they are served."""
    from runtime.cli.table import print_models

    found = admin.models()
    if as_json:
        print_json(found)
    elif found:
        print_models(found)
    else:
        say(f"there are no models in {admin.place}")


@models.command()
@click.argument("spec", type=ANY, metavar="NAME[:VERSION|@LABEL]")
@on_models
def show(admin: Admin, spec: ModelSpec, as_json: bool) -> None:
    """Show a model, or one version in full."""
    from runtime.cli.table import print_model, print_version

    if spec.is_pinned:
        version = admin.version(spec.name, number_of(admin, spec))
        print_json(version) if as_json else print_version(version)
        return
    model = admin.model(spec.name)
    if as_json:
        print_json(model)
        return
    echo(f"{spec.name} serves version {model['serves']}")
    print_model(model)


@models.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@with_wishes
@click.option(
    "--label",
    callback=checked_label,
    help="Point this label to the pushed version.",
)
@on_models
def push(
    admin: Admin,
    path: Path,
    wishes: Callable[[], Wishes],
    trust: bool,
    label: str | None,
    as_json: bool,
) -> None:
    """Publish a model: a bundle, or a model's file.

    A .keras or .h5 file, an ONNX model, a frozen graph (.pb) or a SavedModel's folder
    is made a bundle first, whose params.json comes from the model and from the options;
    docs/own-model.md tells more. Where the exporter is installed, the bundle gets its
    proved model.onnx.

    A bundle's folder, or a .tar, .tar.gz or .zip of one, becomes the next version of
    the model that its params.json names. PATH may also be a folder of versions, as
    TensorFlow Serving has it (PATH/1, PATH/2): the highest is taken.
    """
    from runtime.bundling.conversion import workplace
    from runtime.bundling.given import look_at
    from runtime.bundling.making import check_wishes, make_bundle
    from runtime.cli.pushing import publish

    given, wished = look_at(path), wishes()
    check_wishes(given, wished)
    if given.kind == "bundle":
        publish(admin, given.path, path.name, label, as_json)
        return
    settings = replace(
        admin.settings, trust_uploads=trust or admin.settings.trust_uploads
    )
    with workplace("tfaas-bundle", settings) as scratch:
        made = make_bundle(given, wished, scratch, settings, say)
        publish(admin, made.folder, path.name, label, as_json, made.version)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "are_all", is_flag=True, help="Adopt all flat folders.")
@click.option("--dry-run", is_flag=True, help="Tell what each is, and change nothing.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Adopt the flat folders of this folder.  [default: the store's own]",
)
@on_models
def adopt(
    admin: Admin,
    names: tuple[str, ...],
    are_all: bool,
    dry_run: bool,
    source: Path | None,
    as_json: bool,
) -> None:
    """Make versions of TFaaS's flat folders, with ONNX.

    TFaaS keeps a model as modelDir/NAME/saved_model.pb. The command converts a copy of
    each such folder, proves it, and publishes it as version 1 of NAME; a service that
    runs goes on answering. Where the exporter is not installed, or cannot convert a
    model, TensorFlow serves its version.

    The flat folder stays, and is version 0, to which 'rollback NAME --to 0' goes back.
    A model that has versions already is left alone, so the command may be typed again.
    The exit code is 1 if a folder is broken or cannot be served; all others are adopted
    nevertheless.
    """
    from runtime.cli.adopting import adopt_folders

    if names and are_all:
        raise click.UsageError("say NAME or --all, not both")
    if not (names or are_all or dry_run):
        raise click.UsageError("say NAME, or --all; --dry-run tells what there is")
    adopt_folders(admin, source, names, as_json=as_json, is_dry=dry_run)


@models.command()
@click.argument("spec", type=ANY, metavar="NAME[:VERSION|@LABEL]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.tar.gz",
    help="Write to this new or empty folder, or new file.  [default: ./NAME]",
)
@on_models
def pull(admin: Admin, spec: ModelSpec, output: Path | None, as_json: bool) -> None:
    """Fetch the bundle of a version.

    Without VERSION or LABEL, fetch the version that serves.
    """
    from runtime.admin.destination import Destination
    from runtime.cli.bar import shown

    path = output or Path(spec.name)
    destination = Destination(path)
    destination.check()
    number = number_of(admin, spec)
    size = admin.version(spec.name, number)["bytes"]
    with (
        admin.bundle(spec.name, number) as transfer,
        shown(transfer, f"pulling {spec.name}:{number}") as archive,
    ):
        destination.save(archive.chunks, size)
    if as_json:
        print_json({"name": spec.name, "version": number, "path": str(path)})
    else:
        echo(f"{spec.name}:{number} {path}")


@models.command()
@click.argument("spec", type=VERSION, metavar="NAME[:VERSION]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_models
def delete(admin: Admin, spec: ModelSpec, yes: bool, as_json: bool) -> None:
    """Delete a version, or a model.

    Without VERSION, delete the model with all its versions.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise WrongInput(
                "'delete' asks before it deletes, and there is no terminal; say --yes"
            )
        if not _confirmed(f"Delete {_what_goes(admin, spec)}?"):
            raise Failed("nothing is deleted")
    if spec.version is None:
        deleted = admin.delete(spec.name)
        print_answer(deleted, f"{spec.name} is deleted", as_json)
    else:
        deleted = admin.delete_version(spec.name, spec.version)
        print_answer(deleted, f"{spec.name}:{spec.version} is deleted", as_json)
        if left := deleted.get("left"):
            say(f"the folder {left!r} has the same number, and is this version now")


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:  # Ctrl-C, or the input's end
        raise KeyboardInterrupt from None


def _what_goes(admin: Admin, spec: ModelSpec) -> str:
    if spec.version is not None:
        return f"{spec.name}:{spec.version} in {admin.place}"
    numbers = [version["version"] for version in admin.model(spec.name)["versions"]]
    shown = ", ".join(map(str, numbers))
    return f"{spec.name} in {admin.place}, version{'s'[: len(numbers) > 1]} {shown}"
