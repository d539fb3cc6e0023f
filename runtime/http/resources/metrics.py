"""``GET /metrics``, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import falcon
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from bundle.store import ModelStore
from runtime.telemetry import metrics


def show_store(store: ModelStore) -> None:
    """Set the metrics of an object store, which are computed when they are read."""
    if (age := store.age()) is not None:
        metrics.STORE_AGE.set(age)
        metrics.STORE_BEHIND.set(store.behind())


class Metrics:
    """``GET /metrics``: the metrics of all processes that share a folder for them.

    Args:
        collect: a function that returns the metrics.
        show: functions that set the metrics which are computed when they are read.
    """

    def __init__(
        self, collect: Callable[[], CollectorRegistry], *show: Callable[[], object]
    ) -> None:
        self._collect = collect
        self._show = show

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer in the client's format: Prometheus' text or OpenMetrics."""
        encode, content_type = _encoder(req.get_header("Accept") or "")
        resp.content_type = content_type
        for show in self._show:
            show()
        resp.data = encode(self._collect())

    on_head = on_get


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # the header's version is no number
        return choose_encoder("")
