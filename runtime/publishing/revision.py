"""A revision: a version's bundle once more, with other params or labels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.errors import ModelNotFound
from bundle.manifest import FILE_NAME as MANIFEST
from bundle.manifest import verify_manifest, write_manifest
from bundle.params import params_from_json, read_params, write_stored
from bundle.staging import locked
from bundle.version import Version
from runtime.errors import InvalidInput

LABELS = "labels.txt"

# The others tell which files there are, or when and by whom they were made.
KEYS = (
    "description",
    "features",
    "img_channels",
    "input_name",
    "input_node",
    "labels",
    "op",
    "options",
    "output_name",
    "output_node",
    "preprocess",
    "ranges",
    "variant",
)


def check_changes(changes: Mapping[str, Any]) -> None:
    """Look at changes before there is a version to make them of.

    Raises:
        InvalidInput: there are none, a key is none that may be changed, or the labels
            are none.
    """
    if unknown := sorted(changes.keys() - set(KEYS)):
        raise InvalidInput(
            f"{unknown[0][:64]!r} is no key that can be changed; those are"
            f" {', '.join(KEYS)}; what names or holds the model itself comes with an"
            " upload"
        )
    if not changes:
        raise InvalidInput(f"nothing to change is said; send one of {', '.join(KEYS)}")
    labels = changes.get("labels")
    if isinstance(labels, list):
        _check_labels(labels)


def write_revision(version: Version, changes: Mapping[str, Any], folder: Path) -> None:
    """Write a version's bundle with changed params.

    Args:
        version: its files are copied as they are, those that no key names included.
        changes: by params.json's keys; null takes an optional one away. Of ``labels``,
            a list is the classes' names themselves, and a text the name of a file that
            the bundle has.
        folder: an empty folder.

    Raises:
        InvalidInput: see ``check_changes``.
        BundleError: the version is not whole, or params.json would be wrong.
        ModelNotFound: the version is deleted meanwhile.
    """
    check_changes(changes)
    try:
        # The exporter replaces parity.json and model.onnx together.
        with locked(version.path, shared=True):
            for name, path in version.files().items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    except FileNotFoundError:
        raise ModelNotFound(
            f"version {version.number} of {version.name!r} is not there any more"
        ) from None
    # A file that was damaged must not be listed anew as whole.
    verify_manifest(folder)
    content = dict(read_params(folder).stored)
    for key, value in changes.items():
        if value is None:
            content.pop(key, None)
        elif key == "labels" and isinstance(value, list):
            content[key] = content.get(key) or LABELS
            text = "".join(f"{label}\n" for label in value)
            (folder / content[key]).write_text(text, encoding="utf-8")
        else:
            content[key] = value
    # The store's folder is the name that requests use.
    content["name"] = version.name
    params_from_json(content)
    write_stored(folder, content)
    if (folder / MANIFEST).exists():
        write_manifest(folder)


def _check_labels(labels: list[Any]) -> None:
    for label in labels:
        if not isinstance(label, str) or not _is_line(label):
            raise InvalidInput(
                f"'labels' holds {str(label)[:64]!r}; each must be a text of one line"
            )
    if not labels or not labels[-1]:
        raise InvalidInput(
            "'labels' ends with an empty text, which a file of lines cannot"
            if labels
            else "'labels' is empty; send null to do without"
        )


def _is_line(label: str) -> bool:
    """Whether a file of lines gives it back as it is."""
    return not set(label) & {"\n", "\r", "\ufeff"} and not any(
        "\ud800" <= char <= "\udfff" for char in label
    )
