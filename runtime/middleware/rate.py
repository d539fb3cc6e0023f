"""Refuses clients that ask more often than ``rate`` allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import falcon

from runtime.errors import RateLimited

if TYPE_CHECKING:
    from runtime.limiter import RateLimiter

_ALLOWANCE = "tfaas.allowance"


class Rate:
    """Counts requests by the address they come from; X-Ratelimit-* say what is left.

    Headers that a proxy sets are not looked at: a client could set them as well.

    Args:
        limiter: of this process.
        exempt: paths that are never refused.
    """

    def __init__(self, limiter: RateLimiter, exempt: frozenset[str]) -> None:
        self._limiter = limiter
        self._exempt = exempt

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Count it.

        Raises:
            RateLimited: it is one too many.
        """
        if req.path in self._exempt:
            return
        # One that left the quick lane was counted already.
        allowance = req.env.get(_ALLOWANCE)
        if allowance is None:
            allowance = req.env[_ALLOWANCE] = self._limiter.take(req.remote_addr)
        resp.set_header("X-Ratelimit-Limit", str(allowance.limit))
        resp.set_header("X-Ratelimit-Remaining", str(allowance.remaining))
        resp.set_header("X-Ratelimit-Reset", str(allowance.reset))
        if allowance.is_exceeded:
            resp.set_header("Retry-After", str(allowance.wait))
            raise RateLimited(
                f"Limit exceeded: {allowance.limit} requests {self._limiter.unit}"
                f" are allowed; try again in {allowance.wait} s"
            )
