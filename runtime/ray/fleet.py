"""The metrics of all replicas together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

LABEL = "replica"


def with_replica(metrics: Iterable[Metric], replica: str) -> Sequence[Metric]:
    """Give each sample a label with the name of its replica.

    A sum over replicas would fall when one of them ends, and Prometheus would take that
    for a restart of all.
    """
    told = []
    for metric in metrics:
        labelled = Metric(metric.name, metric.documentation, metric.type, metric.unit)
        labelled.samples = [
            sample._replace(labels={**sample.labels, LABEL: replica})
            for sample in metric.samples
        ]
        told.append(labelled)
    return told


def of_all(replicas: Iterable[Sequence[Metric]]) -> CollectorRegistry:
    """Put the metrics of several replicas together: each metric once, with all samples.

    Args:
        replicas: the metrics of each, from ``with_replica``.
    """
    merged: dict[str, Metric] = {}
    for metrics in replicas:
        for metric in metrics:
            known = merged.get(metric.name)
            if known is None:
                merged[metric.name] = metric
            else:
                known.samples.extend(metric.samples)
    registry = CollectorRegistry()
    registry.register(_Told(list(merged.values())))
    return registry


class _Told(Collector):
    """Metrics that were told, for prometheus_client's encoders."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics
