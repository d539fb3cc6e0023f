"""The viewer of models' graphs: the netron package's own page."""

from __future__ import annotations

from pathlib import Path

import falcon

from runtime.http.page.netron_package import (
    CONSENT_COOKIE,
    PAGE,
    TYPES,
    own_page,
    viewer_files,
)


class Netron:
    """``GET /netron/``: the graph viewer of the netron package, if it is installed.

    ``/netron/?url=/download/mnist/model.onnx`` opens a model. netron's own server does
    the same, but it serves one model and needs a port of its own. Its page asks
    ipinfo.io for the reader's place, counts the reader at Google, and after half a year
    asks for an update. A service must not do that, and a firewall may forbid it.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._files = viewer_files()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the viewer's page."""
        # The page names its files relative to itself. Without the slash a browser would
        # look for them one folder higher.
        if not str(req.env["PATH_INFO"]).endswith("/"):
            query = f"?{req.query_string}" if req.query_string else ""
            raise falcon.HTTPMovedPermanently(f"{self._base}/netron/{query}")
        page = self._find(PAGE).read_text(encoding="utf-8")
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _OWN_FILES_ALONE)
        resp.append_header(
            "Set-Cookie",
            f"{CONSENT_COOKIE}; Path={self._base}/netron/; SameSite=Strict",
        )
        resp.text = own_page(page)

    def on_get_file(
        self, req: falcon.Request, resp: falcon.Response, file: str
    ) -> None:
        """Answer one of the viewer's files."""
        path = self._find(file)
        resp.content_type = TYPES[path.suffix]
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


_OWN_FILES_ALONE = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
    " worker-src 'self' blob:; frame-src 'none'; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
