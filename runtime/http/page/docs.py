"""``GET /docs``: the OpenAPI document as a page, which Swagger UI shows."""

from __future__ import annotations

import gzip
from html import escape
from pathlib import Path
from string import Template

import falcon

from runtime.http.encodings import accepted
from runtime.http.page.rows import row
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

# Swagger UI shows its icons as data, and its editor of examples sets styles of its own.
# The page loads and asks nothing outside.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
        resp.set_header("Content-Security-Policy", _POLICY)
        page = (_FOLDER / "docs.html").read_text(encoding="utf-8")
        resp.text = Template(page).substitute(
            base=escape(self._base),
            routes="\n".join(
                row(
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
        resp.content_type = TYPES[_FILES[file]]
        resp.cache_control = ["max-age=3600"]
        if file == _SCRIPT:
            content = (_FOLDER / "docs.js").read_bytes()
            if not is_known(req, resp, content):
                resp.data = content
            return
        packed = (_FOLDER / "swagger_ui" / f"{file}.gz").read_bytes()
        resp.append_header("Vary", "Accept-Encoding")
        if is_known(req, resp, packed):
            return
        if accepted(req.env) == "gzip":
            resp.set_header("Content-Encoding", "gzip")
            resp.data = packed
        else:
            resp.data = gzip.decompress(packed)

    on_head = on_get
    on_head_file = on_get_file
