"""A revision: a copy of a version's bundle with other params or labels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.errors import ModelNotFound
from bundle.folder import LABELS
from bundle.manifest import FILE_NAME as MANIFEST
from bundle.manifest import verify_manifest, write_manifest
from bundle.params import EARLY_KEYS
from bundle.params_checks import params_from_json
from bundle.params_file import read_params, write_stored
from bundle.staging import locked
from bundle.version import Version
from runtime.errors import InvalidInput

# The other keys name the files, or tell when and by whom they were made.
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


def read_changes(version: Version, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the changes that a request gives for a version.

    A client of TFaaS sends all keys of a model with one of them changed, or the names
    that TFaaS's first params had. A key that may not be changed is no fault if its
    value is the version's own. ``timestamp`` is passed over, because it tells when the
    version was published.

    Returns:
        The changes, without those keys and under the names of today.

    Raises:
        InvalidInput: see ``check_changes``.
        BundleError: the version's params.json is broken.
    """
    changes = dict(given)
    changes.pop("timestamp", None)
    for early, key in EARLY_KEYS.items():
        if early in changes:
            value = changes.pop(early)
            if changes.setdefault(key, value) != value:
                raise InvalidInput(
                    f"{early!r} and {key!r} are one key and have two values; send one"
                )
    fixed = changes.keys() - set(KEYS)
    if fixed:
        known = read_params(version.path).to_tfaas()
        for key in fixed & known.keys():
            if changes[key] == known[key]:
                del changes[key]
    check_changes(changes)
    return changes


def check_changes(changes: Mapping[str, Any]) -> None:
    """Check changes before a version is made from them.

    Raises:
        InvalidInput: there are no changes, a key may not be changed, or the labels are
            wrong.
    """
    if unknown := sorted(changes.keys() - set(KEYS)):
        raise InvalidInput(
            f"{unknown[0][:64]!r} is no key that can be changed; those are"
            f" {', '.join(KEYS)}; to change another key, upload the bundle again"
        )
    if not changes:
        raise InvalidInput(f"there is nothing to change; send one of {', '.join(KEYS)}")
    labels = changes.get("labels")
    if isinstance(labels, list):
        _check_labels(labels)


def write_revision(version: Version, changes: Mapping[str, Any], folder: Path) -> None:
    """Write a version's bundle with changed params.

    Args:
        version: the version; all its files are copied as they are, also those that no
            key names.
        changes: the new values, by params.json's keys; null removes an optional key.
            For ``labels``, a list holds the classes' names themselves, and a text is
            the name of a file in the bundle.
        folder: an empty folder.

    Raises:
        InvalidInput: see ``check_changes``.
        BundleError: the version is not whole, or params.json would be wrong.
        ModelNotFound: the version was deleted meanwhile.
    """
    check_changes(changes)
    try:
        # The exporter replaces parity.json and model.onnx together, under the lock.
        with locked(version.path, shared=True):
            for name, path in version.files().items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    except FileNotFoundError:
        raise ModelNotFound(
            f"version {version.number} of {version.name!r} is not there any more"
        ) from None
    # A damaged file must not be listed as whole in the new manifest.
    verify_manifest(folder)
    content = dict(read_params(folder).stored)
    for early, key in EARLY_KEYS.items():
        if key in changes:
            content.pop(early, None)
    for key, value in changes.items():
        if value is None:
            content.pop(key, None)
        elif key == "labels" and isinstance(value, list):
            content[key] = content.get(key) or LABELS
            text = "".join(f"{label}\n" for label in value)
            (folder / content[key]).write_text(text, encoding="utf-8")
        else:
            content[key] = value
    # Requests use the name of the store's folder.
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
            "'labels' ends with an empty text, which a file of lines cannot hold"
            if labels
            else "'labels' is empty; send null for a model without labels"
        )


def _is_line(label: str) -> bool:
    """Tell whether a file of lines can hold this label unchanged."""
    return not set(label) & {"\n", "\r", "\ufeff"} and not any(
        "\ud800" <= char <= "\udfff" for char in label
    )
