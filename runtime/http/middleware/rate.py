"""Refuses clients that ask more often than ``rate`` allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import falcon

from runtime.http.caller import AddressOf
from runtime.http.cors import is_preflight

if TYPE_CHECKING:
    from runtime.access.limiter import Allowance, RateLimiter

_ALLOWANCE = "tfaas.allowance"


class Rate:
    """Counts the requests of each client's address.

    The headers X-Ratelimit-* tell the client how many it may still send.

    Args:
        limiter: this process's limiter.
        exempt: the paths that are never refused.
        address_of: the function that reads a client's address out of an environ.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        exempt: frozenset[str],
        address_of: AddressOf,
    ) -> None:
        self._limiter = limiter
        self._exempt = exempt
        self._address_of = address_of

    def allowance_of(self, path: str, env: dict[str, Any]) -> Allowance | None:
        """Return the requests that the client may still send; None if it is exempt.

        A request comes here twice if it has a body, because the door sees its head
        first. It is counted once. A preflight is exempt: if it were refused, no script
        could read the reason.
        """
        if path in self._exempt or is_preflight(env):
            return None
        if _ALLOWANCE not in env:
            env[_ALLOWANCE] = self._limiter.take(self._address_of(env))
        allowance: Allowance = env[_ALLOWANCE]
        return allowance

    def check(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Count the request, and tell the client how many are left.

        Raises:
            RateLimited: the request is one too many.
        """
        allowance = self.allowance_of(req.path, req.env)
        if allowance is None:
            return
        resp.set_header("X-Ratelimit-Limit", str(allowance.limit))
        resp.set_header("X-Ratelimit-Remaining", str(allowance.remaining))
        resp.set_header("X-Ratelimit-Reset", str(allowance.reset))
        if allowance.is_exceeded:
            resp.set_header("Retry-After", str(allowance.wait))
            raise self._limiter.refusal(allowance)
