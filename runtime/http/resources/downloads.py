"""``GET /download/{name}/{file}``: the unchanged files of a bundle."""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath
from typing import IO

import falcon

from bundle.errors import ModelNotFound
from bundle.store import ModelStore
from bundle.version import Version
from runtime.http.query import spec_of


class Download:
    """``GET /download/{name}/{file}``: one unchanged file of a model's bundle.

    ``?version=`` and ``?label=`` name a version. Without them it is the served one.
    """

    def __init__(self, store: ModelStore) -> None:
        self._store = store

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, name: str, file: str
    ) -> None:
        """Answer the file as bytes."""
        stream = self._describe(req, resp, name, file)
        resp.stream = stream

    def on_head(
        self, req: falcon.Request, resp: falcon.Response, name: str, file: str
    ) -> None:
        """Answer as GET does, without the bytes."""
        self._describe(req, resp, name, file).close()

    def _describe(
        self, req: falcon.Request, resp: falcon.Response, name: str, file: str
    ) -> IO[bytes]:
        spec = spec_of(req.env, name, {})
        version = self._store.find(spec.name, spec.version, spec.label)
        try:
            stream = open_listed(version, file)
        except OSError:
            raise ModelNotFound(
                f"version {version.number} of {name!r} has no file {file[:200]!r}"
            ) from None
        # No file has the type text/html: it must not run as a page of this site.
        resp.content_type = _BINARY if _is_binary(file) else _TEXT
        resp.set_header("X-Model-Version", str(version.number))
        resp.content_length = os.fstat(stream.fileno()).st_size
        return stream


_BINARY = "application/octet-stream"
_TEXT = "text/plain; charset=utf-8"
_TEXTS = {".txt", ".json", ".csv", ".pbtxt"}


def _is_binary(file: str) -> bool:
    return PurePosixPath(file).suffix not in _TEXTS


def open_listed(version: Version, file: str) -> IO[bytes]:
    """Open a regular file below a version's folder.

    Links are not followed. Names that begin with a dot are not the bundle's. Beside a
    flat bundle lie the folders of versions, which are not the bundle's either.

    Raises:
        OSError: there is no such file, or it is not a regular file of the bundle.
    """
    parts = file.split("/")
    if any(part == "" or part.startswith(".") or "\0" in part for part in parts) or (
        version.number == 0 and len(parts) > 1 and parts[0].isdigit()
    ):
        raise FileNotFoundError
    # Each folder is opened in the one before, so that no other can take its place.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    at = os.open(version.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = os.open(part, flags | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        found = os.open(parts[-1], flags, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise FileNotFoundError
    return os.fdopen(found, "rb")
