"""``GET /models/{name}/{version}/report``: the page of a version's training."""

from __future__ import annotations

import os
from typing import IO

import falcon

from bundle.errors import ModelNotFound
from bundle.report import PAGE
from bundle.spec import read_version
from bundle.store import ModelStore
from runtime.http.resources.downloads import open_listed

# An upload's page is a stranger's HTML. ``sandbox`` gives it an origin of its own, and
# takes scripts, forms, pop-ups and automatic reloads from it. It loads nothing but the
# pictures and the style inside it, so it can neither ask this service for anything with
# its reader's rights, nor tell another server who reads it.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; sandbox"
)


class Report:
    """``GET /models/{name}/{version}/report``."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, name: str, version: str
    ) -> None:
        """Answer the page, whose pictures are inside it."""
        resp.stream = self._open(resp, name, version)

    def on_head(
        self, req: falcon.Request, resp: falcon.Response, name: str, version: str
    ) -> None:
        """Answer as GET does, without the page."""
        self._open(resp, name, version).close()

    def _open(self, resp: falcon.Response, name: str, version: str) -> IO[bytes]:
        found = self._store.find(name, read_version(version))
        try:
            stream = open_listed(found, PAGE)
        except OSError:
            raise ModelNotFound(
                f"version {found.number} of {name!r} has no report; trainer run writes"
                " one into its bundle"
            ) from None
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_header("X-Model-Version", str(found.number))
        resp.content_length = os.fstat(stream.fileno()).st_size
        return stream
