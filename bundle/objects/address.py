"""The address of a store: a folder, or the URL of an object store."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

SCHEMES = ("s3", "gs", "az", "file")

# The store of bundles: a folder, or a URL as text.
Place = Path | str

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def place_of(text: str) -> Place:
    """Read the address of a store.

    Returns:
        A folder as ``Path``, or a URL as ``str``, without a slash at its end.

    Raises:
        ValueError: it is empty, or a URL of no object store; the text is the end of a
            sentence.
    """
    if not text:
        raise ValueError("is empty; it must name a folder or an object store")
    # Path('s3://bucket') has lost a slash, and click and config.json may give such.
    if not _URL.match(text):
        return Path(text)
    try:
        parts = urlsplit(text)
    except ValueError as ex:  # such as s3://[bucket
        raise ValueError("is a URL of no object store") from ex
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(f"is a URL of no object store; there are {known}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            "has more than a place; credentials come from the environment, and not"
            " from the URL"
        )
    if parts.scheme == "file":
        if parts.netloc or parts.path in ("", "/"):
            raise ValueError("must name a folder, such as file:///srv/models")
    elif not parts.netloc:
        raise ValueError(f"names no bucket, such as {parts.scheme}://bucket/models")
    return text.rstrip("/")


def shown(text: str) -> str:
    """Return an address as an error may show it: a URL without user, key and query."""
    if not _URL.match(text):
        return text
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{re.split('[?#]', rest.rpartition('@')[2])[0]}"


def cache_of(url: str, folder: str = "") -> Path:
    """Return the folder in which this machine keeps its copy of an object store.

    Args:
        url: the store.
        folder: the folder of all copies; empty is the user's folder of caches.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(folder) if folder else Path(caches) / "tfaas-onnx" / "objects"
    # Two places of one name must not share a copy.
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9]+", "-", url.partition("://")[2]).strip("-")[:48]
    return root / f"{name}-{digest}"
