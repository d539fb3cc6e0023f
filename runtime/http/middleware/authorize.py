"""Admits each request, or refuses it, by the access of its route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import falcon

from runtime.access.gate import Access, Gate
from runtime.errors import Forbidden, Unauthorized
from runtime.http.caller import WsgiCaller
from runtime.http.middleware.chunked import ChunkedBodies
from runtime.http.reply import NO_STORE


class Authorize:
    """Admits a request, or refuses it before its body is read.

    Args:
        gate: the gate that decides.
        rules: the access of each route, by template and method; a request without a
            rule is refused.
        bodies: the reader of bodies of unknown length; those of requests that are
            admitted are read here, because few requests have one.
    """

    def __init__(
        self,
        gate: Gate,
        rules: Mapping[tuple[str, str], Access],
        bodies: ChunkedBodies,
    ) -> None:
        self._gate = gate
        self._bodies = bodies
        self._table = rules
        self._open = () if gate.asks_for_reads else (Access.READ,)

    def for_all(self) -> frozenset[tuple[str, str]]:
        """Return the pairs of a template and a method that anybody may ask."""
        return frozenset(
            key
            for key, access in self._table.items()
            if access is Access.OPEN or access in self._open
        )

    def admits(self, template: str, method: str, env: Mapping[str, Any]) -> bool:
        """Tell whether a request is admitted; ``process_resource`` gives the reason."""
        access = self._table.get((template, method))
        if access is None:
            return False
        try:
            self._gate.check(access, WsgiCaller(env))
        except (Unauthorized, Forbidden):
            return False
        return True

    def process_resource(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        params: dict[str, object],
    ) -> None:
        """Check the request by its route's rule.

        Raises:
            Unauthorized, Forbidden: the request is not admitted.
            TooLarge, HTTPInvalidHeader: see ``ChunkedBodies.read``.
        """
        access = self._table.get((req.uri_template or "", req.method))
        if access is not Access.OPEN:
            resp.set_header(*NO_STORE)
            if access not in self._open:
                self._check(access, req, resource)
        env = req.env
        if (
            "HTTP_TRANSFER_ENCODING" in env
            or not env.get("CONTENT_LENGTH", "0").isdecimal()
        ):
            self._bodies.read(req, resource)

    def _check(
        self,
        access: Access | None,
        req: falcon.Request,
        resource: object,
    ) -> None:
        if access is None:
            # Falcon itself answers these with a list of the methods, or with 405.
            if req.method == "OPTIONS" or not _answers(resource, req.method):
                return
            raise Forbidden("nobody may ask this route")
        self._gate.check(access, WsgiCaller(req.env))


def _answers(resource: object, method: str) -> bool:
    """Tell whether a resource has its own responder for a method, under any suffix."""
    name = f"on_{method.lower()}"
    return any(found.startswith(name) for found in dir(resource))
