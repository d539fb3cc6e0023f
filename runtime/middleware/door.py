"""The door: what a request's head tells, before any of its body is waited for."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import falcon
from falcon.routing import CompiledRouter

from runtime.access import client_of
from runtime.middleware.authorize import Authorize
from runtime.middleware.rate import Rate

# Others' bodies are nobody's to read.
_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))


class Door:
    """Decides which bodies a server waits for.

    Args:
        router: of the application.
        options: the application's, for its requests.
        authorize: decides who may ask.
        rate: decides who asks too often; None if everybody may.
        address_of: a request's client, of its environ.
    """

    def __init__(
        self,
        router: CompiledRouter,
        options: falcon.RequestOptions,
        authorize: Authorize,
        rate: Rate | None,
        address_of: Callable[[Mapping[str, Any]], str],
    ) -> None:
        self._router = router
        self._options = options
        self._authorize = authorize
        self._rate = rate
        self._address_of = address_of

    def takes_body(self, environ: dict[str, Any]) -> bool:
        """Whether a route is there that reads it, and its client may ask that.

        If not, the application says so of the same environ, without the body.
        """
        if environ["REQUEST_METHOD"] not in _WITH_BODY:
            return False
        environ.setdefault("wsgi.input", io.BytesIO())  # a request has one
        req = falcon.Request(environ, self._options)
        if self._rate is not None:
            allowance = self._rate.allowance_of(req)
            if allowance is not None and allowance.is_exceeded:
                return False
        found = self._router.find(req.path, req)
        return found is not None and self._authorize.admits(str(found[3]), req)

    def client_of(self, environ: Mapping[str, Any]) -> str:
        """Who sends it: an address, or a network of one client."""
        return client_of(self._address_of(environ))
