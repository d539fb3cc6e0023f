"""Whether the process lives, and whether it should get requests."""

from __future__ import annotations

import contextlib
from pathlib import Path

import falcon

from bundle.errors import StoreError
from bundle.store import ModelStore
from runtime.models.preload import Preloader
from runtime.process.drain import DRAINING


class Live:
    """``GET /livez`` and ``GET /healthz``: an answer is all there is to know."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer."""
        resp.media = {"status": "alive"}

    on_head = on_get


class Ready:
    """``GET /readyz``: 503 while the service had better get no requests.

    The store cannot be read or has gone, models are not warm, or the service is ending.

    Args:
        store: need not be there yet: the first upload makes it. But once it had models,
            a folder that is missing, or another one that is empty, is no store: its
            mount was lost.
        preloader: knows what of config.json's ``preload`` is not warm yet.
    """

    def __init__(self, store: ModelStore, preloader: Preloader) -> None:
        self._store = store
        self._preloader = preloader
        self._seen: tuple[int, int] | None = None  # the folder that had models
        with contextlib.suppress(StoreError):
            self._is_gone()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer, with the reasons if it is not; nothing is loaded for it."""
        reasons = []
        try:
            if self._is_gone():
                reasons.append("the store has gone: it had models, and is not there")
        except StoreError as ex:
            reasons.append(str(ex))
        reasons += self._preloader.missing()
        if DRAINING.is_set():
            reasons.append("the service is ending")
        if reasons:
            resp.status = falcon.HTTP_503
            resp.media = {"status": "not ready", "reasons": reasons}
        else:
            resp.media = {"status": "ready"}

    on_head = on_get

    def _is_gone(self) -> bool:
        folder = _identity(self._store.root)
        if self._store.names():
            self._seen = folder
        return self._seen is not None and self._seen != folder


def _identity(folder: Path) -> tuple[int, int] | None:
    """A mark that tells a folder from another of its name; None if there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
