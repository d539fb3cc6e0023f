"""The middleware that makes a reply's bytes."""

from __future__ import annotations

import falcon


class Render:
    """Makes the reply's bytes before ``Watch`` looks at it.

    Falcon makes them after all middleware, and what cannot be made would be watched as
    a success. They are not made twice: Falcon keeps them.
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
