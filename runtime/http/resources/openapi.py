"""The OpenAPI document of this service."""

from __future__ import annotations

import falcon

from runtime.access.gate import Gate
from runtime.http.encodings import encoded
from runtime.http.reply import is_known, to_json


class OpenApi:
    """``GET /openapi.json``: the document, which is made when it is first asked for.

    Args:
        gate: the gate, which knows the tokens that the service asks for.
        base: config.json's ``base``.
    """

    def __init__(self, gate: Gate, base: str) -> None:
        self._gate = gate
        self._base = base
        self._content = b""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the document."""
        if not self._content:
            # Most workers are never asked, and need neither the code nor the document.
            from runtime.http.openapi.document import make_document

            self._content = to_json(make_document(self._gate, self._base))
        resp.cache_control = ["no-cache"]
        resp.append_header("Vary", "Accept-Encoding")
        if is_known(req, resp, self._content):
            return
        resp.content_type = falcon.MEDIA_JSON
        resp.data, headers = encoded(req.env, self._content)
        resp.set_headers(headers)

    on_head = on_get
