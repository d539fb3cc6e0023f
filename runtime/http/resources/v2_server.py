"""The server, as the Open Inference Protocol v2 asks about it."""

from __future__ import annotations

import falcon

from runtime.models.readiness import Readiness
from runtime.wire.oip import bodies
from runtime.wire.oip.metadata import server_metadata


class ServerMetadata:
    """``GET /v2``."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the server's name, version and extensions of the protocol."""
        resp.media = server_metadata()

    on_head = on_get


class ServerLive:
    """``GET /v2/health/live``: any answer shows that the process lives."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer."""
        resp.media = bodies.ServerLive(live=True)

    on_head = on_get


class ServerReady:
    """``GET /v2/health/ready``: 503 while ``/readyz`` answers that.

    Args:
        readiness: the reasons why the service should get no requests.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer; ``/readyz`` has the reasons."""
        is_ready = not self._readiness.reasons()
        resp.media = bodies.ServerReady(ready=is_ready)
        if not is_ready:
            resp.status = falcon.HTTP_503

    on_head = on_get
