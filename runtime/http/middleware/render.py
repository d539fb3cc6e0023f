"""The middleware that makes a reply's bytes."""

from __future__ import annotations

import falcon


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
        """Render ``resp.media``."""
        resp.render_body()
