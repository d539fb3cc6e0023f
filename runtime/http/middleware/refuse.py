"""Refuses the requests for whose body the server did not wait."""

from __future__ import annotations

import falcon

from runtime.http.environ_keys import REFUSED


class Refuse:
    """Answers with the server's error, so that the request is counted and logged."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Raise the error that the server put into the environ, if there is one.

        Raises:
            Overloaded, TooSlow: the server refuses the request.
        """
        refusal = req.env.get(REFUSED)
        if refusal is not None:
            raise refusal
