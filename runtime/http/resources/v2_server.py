"""The server, as the Open Inference Protocol v2 asks about it."""

from __future__ import annotations

import falcon

from bundle import __version__
from runtime.http.resources.health import Ready
from runtime.wire.oip import bodies

# The names that Triton gives to the extensions.
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)


class ServerMetadata:
    """``GET /v2``."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the server's name, version and extensions of the protocol."""
        resp.media = bodies.ServerMetadata(
            name="tfaas-onnx", version=__version__, extensions=EXTENSIONS
        )

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
        ready: the resource of ``/readyz``, which knows the reasons.
    """

    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer; ``/readyz`` has the reasons."""
        is_ready = not self._ready.reasons()
        resp.media = bodies.ServerReady(ready=is_ready)
        if not is_ready:
            resp.status = falcon.HTTP_503

    on_head = on_get
