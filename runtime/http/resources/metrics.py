"""``GET /metrics``, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import falcon
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from runtime.telemetry.metrics import current_registry


class Metrics:
    """``GET /metrics``: the metrics of all processes that share a folder for them.

    Args:
        show: a function that sets the metrics which are computed when they are read.
    """

    def __init__(self, show: Callable[[], object]) -> None:
        self._show = show

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer in the client's format: Prometheus' text or OpenMetrics."""
        encode, content_type = _encoder(req.get_header("Accept") or "")
        resp.content_type = content_type
        self._show()
        resp.data = encode(current_registry())

    on_head = on_get


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # the header's version is no number
        return choose_encoder("")
