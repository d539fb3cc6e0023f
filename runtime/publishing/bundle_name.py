"""The name of an upload that has no params.json: the request or its folder gives it."""

from __future__ import annotations

from pathlib import Path

from bundle.bare import bare_name
from bundle.errors import ArchiveError, BundleError
from bundle.params import FILE_NAME as PARAMS
from bundle.params import MODEL_NAME
from bundle.params_file import write_stored


def name_bundle(folder: Path, asked: str, top: str) -> None:
    """Write the params.json that a bare model lacks; see ``choose_name``.

    No file of the bundle is opened, because a stranger may have made it.

    Args:
        folder: the unpacked bundle.
        asked: the name in the request; empty if there is none.
        top: the name of the archive's folder; empty if there is none.
    """
    # The check of the bundle says what is missing if there is neither file.
    if not (folder / PARAMS).exists() and bare_name(folder):
        write_stored(folder, {"name": choose_name(asked, top)})


def choose_name(asked: str, top: str) -> str:
    """Return the name of a model that has no params.json; see ``name_bundle``.

    Raises:
        ArchiveError: nothing names the model.
        BundleError: the name is none that a model may have.
    """
    name = asked or top
    if not name:
        raise ArchiveError(
            "nothing names the model: there is no params.json, and no folder of the"
            " archive names it; pack the model's folder itself, tar cfz NAME.tar.gz"
            " NAME, or send it to /upload?name=NAME"
        )
    if not MODEL_NAME.fullmatch(name):
        raise BundleError(
            f"the {'query' if asked else 'archive'} names the model {name[:128]!r}; a"
            " name has 1 to 128 letters, digits, '_', '-' or '.', and does not begin"
            " with '-' or '.'"
        )
    return name
