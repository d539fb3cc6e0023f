"""``runtime models …``: the work of the model routes, from the command line."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bundle.errors import DomainError, ModelNotFound
from bundle.objects.address import Place
from bundle.spec import ModelSpec
from bundle.terminal import Failed, StorePlace, WrongInput
from bundle.version_labels import LABEL_NAME, LABEL_RULE, STABLE
from runtime.admin import Admin, Description
from runtime.admin.errors import Unreachable, WorkFailed
from runtime.cli.output import echo, print_json, say, sentences
from runtime.cli.server import AS_JSON, PROOF, read_token
from runtime.cli.spec import ANY, NAME, VERSION
from runtime.cli.wishes import with_wishes

if TYPE_CHECKING:  # --help must not wait for an engine.
    from runtime.bundling.wishes import Wishes

# click folds all lines except those after a \b.
_LABEL_EXAMPLES = """\b
runtime models label mnist:3 canary         canary is version 3
runtime models label mnist@canary stable    stable is canary's version
runtime models label --delete mnist canary
"""


class _Group(click.Group):
    """Commands that exit with 1 if the work failed, and with 2 if the input is bad."""

    def invoke(self, ctx: click.Context) -> object:
        with sentences():
            return super().invoke(ctx)


def _checked_label(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    if value is not None and not LABEL_NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} must be {LABEL_RULE}")
    return value


@click.group(cls=_Group)
def models() -> None:
    """Look at and change the models of a server, or of a store folder.

    With --server, or the variable MODELS_SERVER, the commands ask a server over HTTP.
    Else they work on the store that --models-dir or config.json names; a service may
    serve that store meanwhile. A command exits with 1 if the work failed, and with 2
    if an argument is wrong.
    """


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


def _on_models(command: Callable[..., None]) -> Callable[..., None]:
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


@models.command("list")
@_on_models
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
@_on_models
def show(admin: Admin, spec: ModelSpec, as_json: bool) -> None:
    """Show a model, or one version in full."""
    from runtime.cli.table import print_model, print_version

    if spec.is_pinned:
        version = admin.version(spec.name, _number(admin, spec))
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
    callback=_checked_label,
    help="Point this label to the pushed version.",
)
@_on_models
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
@_on_models
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
@_on_models
def pull(admin: Admin, spec: ModelSpec, output: Path | None, as_json: bool) -> None:
    """Fetch the bundle of a version.

    Without VERSION or LABEL, fetch the version that serves.
    """
    from runtime.admin.destination import Destination
    from runtime.cli.bar import shown

    path = output or Path(spec.name)
    destination = Destination(path)
    destination.check()
    number = _number(admin, spec)
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
@_on_models
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
        _answer(deleted, f"{spec.name} is deleted", as_json)
    else:
        deleted = admin.delete_version(spec.name, spec.version)
        _answer(deleted, f"{spec.name}:{spec.version} is deleted", as_json)
        if left := deleted.get("left"):
            say(f"the folder {left!r} has the same number, and is this version now")


@models.command(epilog=_LABEL_EXAMPLES)
@click.argument("spec", type=ANY, metavar="NAME:VERSION|NAME@LABEL")
@click.argument("label", callback=_checked_label)
@click.option("--delete", is_flag=True, help="Take LABEL away from the model NAME.")
@_on_models
def label(
    admin: Admin, spec: ModelSpec, label: str, delete: bool, as_json: bool
) -> None:
    """Point LABEL to a version that loads.

    The version with the label 'stable' answers requests that name no version.
    """
    if delete == spec.is_pinned:
        raise click.UsageError(
            "--delete takes NAME LABEL, without a version"
            if delete
            else f"say which version: {spec.name}:VERSION or {spec.name}@LABEL"
        )
    if delete:
        deleted = admin.delete_label(spec.name, label)
        sentence = f"{spec.name}@{label} is deleted; it was {deleted['version']}"
        _answer(deleted, sentence, as_json)
    else:
        labelled = admin.set_label(spec.name, label, _number(admin, spec))
        _answer(labelled, f"{spec.name}@{label} is {labelled['version']}", as_json)


@models.command()
@click.argument("spec", type=NAME, metavar="NAME")
@click.option(
    "--to",
    "target",
    metavar="VERSION",
    type=click.IntRange(0),
    help="Let this version serve.  [default: the highest earlier one that loads]",
)
@_on_models
def rollback(admin: Admin, spec: ModelSpec, target: int | None, as_json: bool) -> None:
    """Let an earlier version serve.

    The command points the label 'stable' to it. 'label --delete NAME stable' lets the
    newest version serve again.
    """
    if target is None:
        _step_back(admin, spec.name)
    else:
        admin.set_label(spec.name, STABLE, target)
    serves = admin.model(spec.name)["serves"]
    answer = {"name": spec.name, "label": STABLE, "version": serves}
    _answer(answer, f"{spec.name} serves version {serves}", as_json)


def _step_back(admin: Admin, name: str) -> None:
    model = admin.model(name)
    serves = model["serves"]
    numbers = [version["version"] for version in model["versions"]]
    for number in sorted(numbers, reverse=True):
        if number >= serves:
            continue
        try:
            admin.set_label(name, STABLE, number)
            return
        except Unreachable:
            raise
        except DomainError as ex:  # the version does not load, or was just deleted
            say(f"not {name}:{number}: {ex}")
    raise WorkFailed(f"{name!r} serves version {serves}, and no earlier version loads")


def _number(admin: Admin, spec: ModelSpec) -> int:
    """Return the number of the version that a spec means."""
    if spec.version is not None:
        return spec.version
    model = admin.model(spec.name)
    if spec.label is None:
        return int(model["serves"])
    if spec.label not in model["labels"]:
        raise ModelNotFound(f"model {spec.name!r} has no label {spec.label!r}")
    return int(model["labels"][spec.label])


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


def _answer(answer: Description, sentence: str, as_json: bool) -> None:
    print_json(answer) if as_json else echo(sentence)
