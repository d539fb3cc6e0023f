"""The keys of the objects: each begins with its kind, and then has the model's name."""

from __future__ import annotations

import re

from bundle.objects.manifest import Blob
from bundle.params import MODEL_NAME
from bundle.store_errors import no_model
from bundle.version_labels import LABEL_NAME

VERSIONS = "versions/"
LABELS = "labels/"
BLOBS = "blobs/"
# The object with the names of the models that changed last.
CHANGED = "changed"
# The place among a model's labels of the mark that it is unloaded. No label has this
# name, because a label begins with a letter.
UNLOADED = "_unloaded"

_VERSION_KEY = re.compile(r"versions/([^/]+)/([1-9][0-9]{0,17})\.json")
_LABEL_KEY = re.compile(r"labels/([^/]+)/([^/]+)\.json")


def check_name(name: str) -> None:
    """Check that a text may be a model's name before it becomes a part of a key.

    Raises:
        ModelNotFound: it may not, so there is no such model.
    """
    # The name may come from a client.
    if not MODEL_NAME.fullmatch(name):
        raise no_model(name)


def version_key(name: str, number: int) -> str:
    """Return the key of a version's manifest."""
    return f"{VERSIONS}{name}/{number}.json"


def label_key(name: str, label: str) -> str:
    """Return the key of a label, or of the mark ``UNLOADED``."""
    return f"{LABELS}{name}/{label}.json"


def blob_key(name: str, blob: Blob) -> str:
    """Return the key of a file's content."""
    return f"{BLOBS}{name}/{blob.sha256}"


def read_version_key(key: str) -> tuple[str, int] | None:
    """Return the model and the number of a manifest's key; None for another key."""
    found = _VERSION_KEY.fullmatch(key)
    if found is None or not MODEL_NAME.fullmatch(found[1]):
        return None
    return found[1], int(found[2])


def read_label_key(key: str) -> tuple[str, str] | None:
    """Return the model and the label of a label's key; None for another key.

    The label may also be ``UNLOADED``.
    """
    found = _LABEL_KEY.fullmatch(key)
    if found is None or not MODEL_NAME.fullmatch(found[1]):
        return None
    is_known = found[2] == UNLOADED or LABEL_NAME.fullmatch(found[2])
    return (found[1], found[2]) if is_known else None
