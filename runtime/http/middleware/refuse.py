"""Refuses what the server would not wait for."""

from __future__ import annotations

import falcon

from runtime.http.environ_keys import REFUSED


class Refuse:
    """Answers as the server says that it must, so that it is counted and logged."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Look for its word.

        Raises:
            Overloaded, TooSlow: what the server says.
        """
        refusal = req.env.get(REFUSED)
        if refusal is not None:
            raise refusal
