"""Files beside the page: its icon, and the folders of config.json's ``staticDir``."""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast

import falcon
from falcon.routing import StaticRoute

FOLDERS = ("js", "css", "images")


def static_files(base: str, folder: Path) -> dict[str, Files]:
    """Make the resources of /js, /css and /images, as in TFaaS.

    A folder that is missing when the application is made has none.
    """
    return {
        f"/{name}/{{file:path}}": Files(f"{base}/{name}", (folder / name).absolute())
        for name in FOLDERS
        if (folder / name).is_dir()
    }


class Files:
    """``GET /js/{file}``: the files of one folder.

    Falcon's own static route answers every method, even DELETE, and has no template for
    the metrics. Here only GET and HEAD ask it.
    """

    def __init__(self, prefix: str, folder: Path) -> None:
        self._route = StaticRoute(prefix, folder)

    def on_get(self, req: falcon.Request, resp: falcon.Response, file: str) -> None:
        """Answer the file, or the range of it that the client asks for."""
        self._route(req, resp)

    def on_head(self, req: falcon.Request, resp: falcon.Response, file: str) -> None:
        """Answer as GET does, without the bytes."""
        self._route(req, resp)
        if resp.stream is not None:
            cast("IO[bytes]", resp.stream).close()
            resp.stream = None  # a server's own file wrapper would seek in it


class Favicon:
    """``GET /favicon.ico``.

    Args:
        folder: config.json's ``staticDir``; its own icon goes before this project's.
    """

    def __init__(self, folder: Path) -> None:
        ours = Path(__file__).with_name("favicon.ico")
        own = (folder / "images" / ours.name, folder / ours.name)
        icon = next((path for path in own if path.is_file()), ours)
        self._icon = icon.read_bytes()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the icon."""
        resp.content_type = "image/x-icon"
        resp.cache_control = ["max-age=86400"]
        resp.data = self._icon

    on_head = on_get
