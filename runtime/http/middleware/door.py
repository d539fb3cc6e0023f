"""The door: it decides by a request's head, before the server waits for the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from falcon.routing import CompiledRouter

from runtime.access.gate import client_of
from runtime.http.caller import AddressOf
from runtime.http.middleware.authorize import Authorize
from runtime.http.middleware.rate import Rate
from runtime.http.predictions import Found

# No route reads the body of another method.
_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))


class Door:
    """Decides which bodies a server waits for.

    Args:
        router: the application's router.
        find: the function that finds the prediction of a path; None if Falcon finds its
            resource.
        authorize: the middleware that decides whether a client may ask.
        rate: the middleware that decides whether a client asks too often; None if there
            is no limit.
        address_of: the function that reads a client's address out of an environ.
    """

    def __init__(
        self,
        router: CompiledRouter,
        find: Callable[[str], Found | None],
        authorize: Authorize,
        rate: Rate | None,
        address_of: AddressOf,
    ) -> None:
        self._router = router
        self._find = find
        self._authorize = authorize
        self._rate = rate
        self._address_of = address_of
        # Most requests ask these routes. A decision takes as long as a small model.
        self._for_all = frozenset() if rate else authorize.for_all()

    def takes_body(self, environ: dict[str, Any]) -> bool:
        """Tell whether there is a route that reads the body, and the client may ask it.

        If not, the application refuses the same environ without the body.
        """
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method not in _WITH_BODY:
            return False
        found = self._find(path)
        if ((path if found is None else found.route), method) in self._for_all:
            return True
        # Falcon reads a path so: each character of a WSGI text stands for one byte.
        path = path.encode("latin-1").decode(errors="replace")
        if len(path) > 1:
            path = path.removesuffix("/")
        if self._rate is not None:
            allowance = self._rate.allowance_of(path, environ)
            if allowance is not None and allowance.is_exceeded:
                return False
        resource = self._router.find(path)
        return resource is not None and self._authorize.admits(
            str(resource[3]), method, environ
        )

    def client_of(self, environ: Mapping[str, Any]) -> str:
        """Return a request's client: an IPv4 address, or the network of an IPv6 one."""
        return client_of(self._address_of(environ))
