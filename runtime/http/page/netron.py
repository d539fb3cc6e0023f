"""The viewer of models' graphs: the netron package's own page."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import falcon


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
