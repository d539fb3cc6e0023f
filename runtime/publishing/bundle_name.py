"""The name of an upload: params.json, the request or the archive's folder gives it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.bare import bare_name
from bundle.errors import ArchiveError, BundleError, ConflictError
from bundle.params import FILE_NAME as PARAMS
from bundle.params import MODEL_NAME, read_stored, write_stored


def name_bundle(folder: Path, asked: str, top: str) -> None:
    """Give a bundle its name, and a bare model the params.json that holds it.

    Args:
        folder: the unpacked bundle.
        asked: the name in the request's query; empty if there is none.
        top: the name of the archive's folder; empty if there is none.

    Raises:
        ArchiveError: nothing names the model.
        BundleError: the folder's name is no model's, or params.json is broken.
        ConflictError: the query and params.json name two models.
    """
    has_params = (folder / PARAMS).exists()
    if not has_params and not bare_name(folder):
        return  # the check of the bundle says what is missing
    stored = read_stored(folder) if has_params else {}
    content = named(stored, asked, top)
    if content != stored:
        write_stored(folder, content)


def named(stored: Mapping[str, Any], asked: str, top: str) -> dict[str, Any]:
    """Return the content of params.json with a name; see ``name_bundle``."""
    content = dict(stored)
    told = content.get("name")
    if told:
        if asked not in ("", told):
            raise ConflictError(
                f"the query names {asked[:128]!r} and the bundle itself"
                f" {str(told)[:128]!r}; send the same in both"
            )
        return content
    if stored and not asked:
        return content  # the check of params.json says that its name is missing
    content["name"] = name = asked or top
    if not name:
        raise ArchiveError(
            "nothing names the model: there is no params.json, and no folder in the"
            " archive; pack the model's folder itself, tar cfz NAME.tar.gz NAME, or"
            " send it to /upload?name=NAME"
        )
    if not MODEL_NAME.fullmatch(name):
        raise BundleError(
            f"the {'query' if asked else 'archive'} names the model {name[:128]!r}; a"
            " name has 1 to 128 letters, digits, '_', '-' or '.', and does not begin"
            " with '-' or '.'"
        )
    return content
