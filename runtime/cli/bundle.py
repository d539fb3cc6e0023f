"""``runtime bundle``: make a bundle of somebody's own model, and publish nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.admin import TRIAL_SETTINGS
from runtime.cli.output import echo, print_json, say, sentences
from runtime.cli.server import AS_JSON
from runtime.cli.wishes import with_wishes

if TYPE_CHECKING:  # --help must not wait for an engine.
    from runtime.bundling.wishes import Wishes


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@with_wishes
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.tar.gz",
    help="Write to this new or empty folder, or new file.  [default: ./NAME]",
)
@AS_JSON
def bundle(
    path: Path,
    wishes: Callable[[], Wishes],
    trust: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Make a bundle of a model's file, and try it.

    PATH is what 'runtime models push' takes: a .keras or .h5 file, an ONNX model, a
    frozen graph (.pb), or a SavedModel's folder. params.json comes from the model
    itself, and from the options. Where the exporter is installed, the bundle gets its
    proved model.onnx.
    """
    with sentences():
        from bundle.packing import pack
        from bundle.scratch import scratch_folder
        from bundle.version import Version
        from runtime.admin.destination import Destination
        from runtime.admin.errors import AdminError
        from runtime.bundling.given import look_at
        from runtime.bundling.making import check_wishes, make_bundle

        given, wished = look_at(path), wishes()
        if given.kind == "bundle":
            raise AdminError(f"{path} is a bundle already: runtime models push {path}")
        check_wishes(given, wished)
        name = wished.name or given.name
        place = output or Path(name)
        destination = Destination(place)
        destination.check()
        config = replace(TRIAL_SETTINGS, trust_uploads=trust)
        with scratch_folder("tfaas-bundle") as scratch:
            made = make_bundle(given, wished, scratch, config, say)
            files = Version(name, 0, made.folder, ()).files()
            size = sum(file.stat().st_size for file in files.values())
            packed = pack(files, name, gzipped=True)
            destination.save(packed, size)
        if as_json:
            print_json({"name": name, "path": str(place)})
            return
        echo(f"{name} {place}")
        say(f"publish it with: runtime models push {place}")
