"""The door: decisions on a request's head, before its body is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from falcon.routing import CompiledRouter

from runtime.access.gate import client_of
from runtime.http.caller import AddressOf
from runtime.http.middleware.authorize import Authorize
from runtime.http.middleware.rate import Rate

# Others' bodies are nobody's to read.
_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))


class Door:
    """Decides which bodies a server waits for.

    Args:
        router: of the application.
        authorize: decides who may ask.
        rate: decides who asks too often; None if everybody may.
        address_of: a request's client, of its environ.
    """

    def __init__(
        self,
        router: CompiledRouter,
        authorize: Authorize,
        rate: Rate | None,
        address_of: AddressOf,
    ) -> None:
        self._router = router
        self._authorize = authorize
        self._rate = rate
        self._address_of = address_of
        # Most requests are for these; a decision on one costs as much as a small model.
        self._for_all = frozenset() if rate else authorize.for_all()

    def takes_body(self, environ: dict[str, Any]) -> bool:
        """Whether a route is there that reads it, and its client may ask that.

        If not, the application says so of the same environ, without the body.
        """
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method not in _WITH_BODY:
            return False
        if (path, method) in self._for_all:
            return True
        # As Falcon reads a path: WSGI's texts are bytes in disguise.
        path = path.encode("latin-1").decode(errors="replace")
        if len(path) > 1:
            path = path.removesuffix("/")
        if self._rate is not None:
            allowance = self._rate.allowance_of(path, environ)
            if allowance is not None and allowance.is_exceeded:
                return False
        found = self._router.find(path)
        return found is not None and self._authorize.admits(
            str(found[3]), method, environ
        )

    def client_of(self, environ: Mapping[str, Any]) -> str:
        """Its client: an address, or a network of one client."""
        return client_of(self._address_of(environ))
