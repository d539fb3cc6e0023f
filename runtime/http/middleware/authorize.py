"""Asks of each request what its route wants of clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import falcon

from runtime.access.gate import Access, Gate
from runtime.errors import Forbidden, Unauthorized
from runtime.http.caller import WsgiCaller


class Authorize:
    """Admits a request, or refuses it before its body is read.

    Args:
        gate: decides.
        rules: what each route asks of its client, by template and method; whatever is
            not in them is refused.
    """

    def __init__(self, gate: Gate, rules: Mapping[tuple[str, str], Access]) -> None:
        self._gate = gate
        self._table = rules
        self._open = () if gate.asks_for_reads else (Access.READ,)

    def for_all(self) -> frozenset[tuple[str, str]]:
        """Routes without names in them, and methods, that anybody may ask."""
        return frozenset(
            key
            for key, access in self._table.items()
            if "{" not in key[0] and (access is Access.OPEN or access in self._open)
        )

    def admits(self, template: str, method: str, env: Mapping[str, Any]) -> bool:
        """Whether a route may be asked so; ``process_resource`` says why not."""
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
        """Look its route up.

        Raises:
            Unauthorized, Forbidden: it is not admitted.
        """
        access = self._table.get((req.uri_template or "", req.method))
        if access is Access.OPEN:
            return
        # It is of the models, and of nobody's cache.
        resp.set_header("Cache-Control", "no-store")
        if access in self._open:
            return
        if access is None:
            # Falcon's own: a list of the methods, or that this is none of them.
            if req.method == "OPTIONS" or not _answers(resource, req.method):
                return
            raise Forbidden("nobody may ask this")
        try:
            self._gate.check(access, WsgiCaller(req.env))
        except Unauthorized:
            resp.set_header("WWW-Authenticate", "Bearer")
            raise


def _answers(resource: object, method: str) -> bool:
    """Whether a resource has a responder of its own, under whatever suffix."""
    name = f"on_{method.lower()}"
    return any(found.startswith(name) for found in dir(resource))
