"""The metrics, from prometheus_client's own objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from tools.reference.markdown import code, sentence, table

# A scrape shows this after the name of a metric, by its type.
_ENDINGS = {"counter": "_total", "gauge": "", "histogram": ""}


class Described(NamedTuple):
    """One metric as Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    what: str


def metrics() -> list[Described]:
    """All metrics of the service, in the order of their file."""
    from runtime.telemetry import metrics as module

    found = [m for m in vars(module).values() if isinstance(m, MetricWrapperBase)]
    return [
        Described(
            described.name + _ENDINGS[described.type],
            described.type,
            # prometheus_client tells no label's name before it has a value.
            tuple(metric._labelnames),
            described.documentation,
        )
        for metric in found
        for described in metric.describe()
    ]


def block(arguments: Sequence[str]) -> str:
    """The table of all metrics."""
    return table(
        ("metric", "type", "labels", "meaning"),
        [
            (
                code(metric.name),
                metric.kind,
                ", ".join(map(code, metric.labels)),
                sentence(metric.what),
            )
            for metric in metrics()
        ],
    )
