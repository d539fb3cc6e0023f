"""Files as they are: the favicon, a bundle's files, and the netron package's viewer."""

from __future__ import annotations

import os
import re
import stat
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import IO, cast

import falcon
from falcon.routing import StaticRoute

from bundle.errors import ModelNotFound
from bundle.store import ModelStore
from bundle.version import Version
from runtime.resources.query import read_spec

FOLDERS = ("js", "css", "images")


def add_static_folders(
    application: falcon.App[falcon.Request, falcon.Response], base: str, folder: Path
) -> None:
    """TFaaS's /js, /css and /images, for those that are there when the app is built."""
    for name in FOLDERS:
        if (folder / name).is_dir():
            prefix = f"{base}/{name}"
            files = Files(prefix, (folder / name).absolute())
            application.add_route(prefix + "/{file:path}", files)


class Files:
    """``GET /js/{file}``: the files of one folder.

    Falcon's own static route answers every method, DELETE too, and has no template that
    metrics could name it by; here it is asked by GET and HEAD alone.
    """

    def __init__(self, prefix: str, folder: Path) -> None:
        self._route = StaticRoute(prefix, folder)

    def on_get(self, req: falcon.Request, resp: falcon.Response, file: str) -> None:
        """Answer the file, or the range of it that is asked for."""
        self._route(req, resp)

    def on_head(self, req: falcon.Request, resp: falcon.Response, file: str) -> None:
        """Answer as GET does, without the bytes."""
        self._route(req, resp)
        if resp.stream is not None:
            cast("IO[bytes]", resp.stream).close()
            resp.stream = None  # a server's own file wrapper would seek in it


class Favicon:
    """``GET /favicon.ico``."""

    def __init__(self) -> None:
        self._icon = Path(__file__).with_name("favicon.ico").read_bytes()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the icon."""
        resp.content_type = "image/x-icon"
        resp.cache_control = ["max-age=86400"]
        resp.data = self._icon

    on_head = on_get


class Download:
    """``GET /download/{name}/{file}``: one file of a model's bundle, as it is stored.

    ``?version=`` and ``?label=`` name a version; without them it is the served one.
    """

    def __init__(self, store: ModelStore) -> None:
        self._store = store

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, name: str, file: str
    ) -> None:
        """Answer the file, whatever it holds, as bytes."""
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
        spec = read_spec(req, {"model": name})
        version = self._store.find(spec.name, spec.version, spec.label)
        try:
            stream = _open_listed(version, file)
        except OSError:
            raise ModelNotFound(
                f"version {version.number} of {name!r} has no file {file[:200]!r}"
            ) from None
        # Never text/html: a bundle's file must not run as a page of this site.
        resp.content_type = _BINARY if _is_binary(file) else _TEXT
        resp.set_header("X-Model-Version", str(version.number))
        resp.content_length = os.fstat(stream.fileno()).st_size
        return stream


_BINARY = "application/octet-stream"
_TEXT = "text/plain; charset=utf-8"
_TEXTS = {".txt", ".json", ".csv", ".pbtxt"}


def _is_binary(file: str) -> bool:
    return PurePosixPath(file).suffix not in _TEXTS


def _open_listed(version: Version, file: str) -> IO[bytes]:
    """Open a regular file below a version's folder; everything else is an OSError.

    Links are not followed, and what begins with a dot is not the bundle's; nor are, of
    a flat bundle, the folders of the versions beside it.
    """
    parts = file.split("/")
    if any(part == "" or part.startswith(".") or "\0" in part for part in parts) or (
        version.number == 0 and len(parts) > 1 and parts[0].isdigit()
    ):
        raise FileNotFoundError
    # Each folder is opened in the one before, so that nothing can be put in its place.
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


class Netron:
    """``GET /netron/``: the graph viewer of the netron package, if it is installed.

    ``/netron/?url=/download/mnist/model.onnx`` opens a model. netron's own server would
    do the same, but serves one model and is a server of its own. Its page asks
    ipinfo.io where the reader is, counts him at Google, and after half a year wants to
    be updated; nothing of that belongs in a service, nor works behind a firewall.
    """

    def __init__(self, base: str) -> None:
        spec = find_spec("netron")
        folders = (spec.submodule_search_locations or []) if spec else []
        self._base = base
        self._files = {
            path.name: path
            for folder in folders
            for path in Path(folder).iterdir()
            if path.suffix in _VIEWER_TYPES and path.is_file()
        }

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the viewer's page."""
        # Its files are named beside it: without the slash they would be sought above.
        if not str(req.env["PATH_INFO"]).endswith("/"):
            query = f"?{req.query_string}" if req.query_string else ""
            raise falcon.HTTPMovedPermanently(f"{self._base}/netron/{query}")
        page = self._find("index.html").read_text(encoding="utf-8")
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _OWN_FILES_ALONE)
        # It asks for consent where this is not set.
        resp.append_header(
            "Set-Cookie", f"consent=0; Path={self._base}/netron/; SameSite=Strict"
        )
        resp.text = _own_page(page)

    def on_get_file(
        self, req: falcon.Request, resp: falcon.Response, file: str
    ) -> None:
        """Answer one of the viewer's files."""
        path = self._find(file)
        resp.content_type = _VIEWER_TYPES[path.suffix]
        resp.cache_control = ["max-age=3600"]
        resp.data = path.read_bytes()

    on_head = on_get
    on_head_file = on_get_file

    def _find(self, file: str) -> Path:
        if not self._files:
            raise falcon.HTTPNotFound(
                description="the graph viewer is not installed here; install it with:"
                " pip install 'tfaas-onnx[netron]'"
            )
        if file not in self._files:
            raise falcon.HTTPNotFound
        return self._files[file]


_VIEWER_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".svg": "image/svg+xml",
}
_OWN_FILES_ALONE = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
    " worker-src 'self' blob:; frame-src 'none'; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _own_page(page: str) -> str:
    """Netron's index.html as a page that is never out of date and reports nothing."""
    page = re.sub(r'<meta name="date" content="[^"]*">\n?', "", page)
    # 0.0.0 is its developers' own; such a page does not count its readers.
    return re.sub(
        r'<meta name="version" content="[^"]*">',
        '<meta name="version" content="0.0.0">',
        page,
    )
