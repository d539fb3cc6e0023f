"""``GET /metrics``, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import falcon
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from runtime.telemetry.metrics import current_registry


class Metrics:
    """``GET /metrics``: of all processes, where many share a folder."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer in the format that the client takes: Prometheus' text, OpenMetrics."""
        encode, content_type = _encoder(req.get_header("Accept") or "")
        resp.content_type = content_type
        resp.data = encode(current_registry())

    on_head = on_get


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # it asks for a version that is no number
        return choose_encoder("")
