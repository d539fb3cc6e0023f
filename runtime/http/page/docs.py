"""``GET /docs``: the OpenAPI document as a page, which Swagger UI shows."""

from __future__ import annotations

import gzip
from html import escape
from pathlib import Path
from string import Template

import falcon

from runtime.http.encodings import accepted
from runtime.http.reply import is_known
from runtime.http.routes import ROUTES

_FOLDER = Path(__file__).parent
# The version of the files in swagger_ui/, which are those of the package
# swagger-ui-dist, packed.
VERSION = "5.35.0"
# This project's own script, beside the files of Swagger UI.
_SCRIPT = "start.js"
TYPES = {".js": "text/javascript", ".css": "text/css"}
_FILES = {"swagger-ui-bundle.js": ".js", "swagger-ui.css": ".css", _SCRIPT: ".js"}

# The page loads and asks nothing outside. Swagger UI has its icons as data, shows the
# pictures of answers as blobs, and sets styles by scripts alone, which no policy of
# styles forbids.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data: blob:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


class Docs:
    """``GET /docs``, and ``GET /docs/{file}`` for the files of the page.

    Its files are read when they are asked for, so that no worker holds them in memory.
    A browser without scripts shows the list of routes.

    Args:
        base: config.json's ``base``.
    """

    def __init__(self, base: str) -> None:
        self._base = base

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the page."""
        resp.content_type = falcon.MEDIA_HTML
        resp.cache_control = ["no-cache"]
        resp.set_header("Content-Security-Policy", _POLICY)
        page = (_FOLDER / "docs.html").read_text(encoding="utf-8")
        resp.text = Template(page).substitute(
            base=escape(self._base),
            routes="\n".join(
                _row(
                    f"<code>{route.method} {escape(self._base + route.shown)}</code>",
                    escape(route.sentence),
                )
                for route in ROUTES
            ),
        )

    def on_get_file(
        self, req: falcon.Request, resp: falcon.Response, file: str
    ) -> None:
        """Answer one of the page's files, packed for a client that accepts it."""
        if file not in _FILES:
            raise falcon.HTTPNotFound
        is_packed = file != _SCRIPT
        path = _FOLDER / (f"swagger_ui/{file}.gz" if is_packed else "docs.js")
        content = path.read_bytes()
        resp.cache_control = ["max-age=3600"]
        resp.append_header("Vary", "Accept-Encoding")
        if is_known(req, resp, content):
            return
        resp.content_type = TYPES[_FILES[file]]
        if is_packed and accepted(req.env) == "gzip":
            resp.set_header("Content-Encoding", "gzip")
        elif is_packed:
            content = gzip.decompress(content)
        resp.data = content

    on_head = on_get
    on_head_file = on_get_file


def _row(*cells: str) -> str:
    """Write a row of a table, whose cells are HTML already."""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
