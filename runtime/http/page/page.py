"""``GET /``: a short page with the models."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import Any

import falcon

from runtime.catalogue import Catalogue
from runtime.http.page.rows import row

_PAGE = Template(Path(__file__).with_name("index.html").read_text(encoding="utf-8"))


# The page has one style of its own, and loads nothing; no page may frame it.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)


class Page:
    """``GET /``."""

    def __init__(self, catalogue: Catalogue, base: str) -> None:
        self._catalogue = catalogue
        self._base = base

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the page."""
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.text = _PAGE.substitute(
            models=_models(self._catalogue.models()),
            base=escape(self._base),
        )

    on_head = on_get


def _models(models: list[dict[str, Any]]) -> str:
    if not models:
        return "<p>None yet: train one with <code>trainer run</code>, or upload it.</p>"
    rows = [row("<b>Name</b>", "<b>Version</b>", "<b>Served by</b>")]
    rows += [
        row(
            escape(model["name"]),
            escape(str(model.get("version", "-"))),
            escape(_served_by(model)),
        )
        for model in models
    ]
    return f"<table>\n{chr(10).join(rows)}\n</table>"


def _served_by(model: dict[str, Any]) -> str:
    broken = f"broken: {model['error']}" if model["error"] else ""
    if not model.get("backend"):
        return broken or "loaded on first use"
    served = f"version {model['loaded']} by {model['backend']}/{model['device']}"
    return f"{served}; {broken}" if broken else served
