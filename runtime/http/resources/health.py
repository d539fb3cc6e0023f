"""Health: a process tells that it lives, and whether it should get requests."""

from __future__ import annotations

import falcon

from runtime.models.readiness import Readiness


class Live:
    """``GET /livez`` and ``GET /healthz``: any answer shows that the process lives."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer."""
        resp.media = {"status": "alive"}

    on_head = on_get


class Ready:
    """``GET /readyz``: 503 while the service should get no requests.

    Args:
        readiness: the reasons why it should get none.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer, with the reasons if the service is not ready; load no model."""
        if reasons := self._readiness.reasons():
            resp.status = falcon.HTTP_503
            resp.media = {"status": "not ready", "reasons": reasons}
        else:
            resp.media = {"status": "ready"}

    on_head = on_get
