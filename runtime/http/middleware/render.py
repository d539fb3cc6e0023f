"""The middleware that makes a reply's bytes."""

from __future__ import annotations

import falcon

from runtime.http.middleware.access_log import bytes_out


class Render:
    """Makes the reply's bytes before ``Watch`` looks at it.

    Falcon makes them after all middleware. ``Watch`` would then count a reply that
    cannot be made as a success. Falcon keeps the bytes, and does not make them twice.
    """

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        """Render ``resp.media``, and note at ``req.context.bytes_out`` what is sent."""
        body = resp.render_body()
        if resp.stream is None and req.method != "HEAD":
            req.context.bytes_out = 0 if body is None else len(body)
        else:
            req.context.bytes_out = bytes_out(req, resp)
