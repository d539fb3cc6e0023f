"""The count of requests, which a door of any protocol reports to the metrics."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Protocol

from runtime.telemetry import metrics
from runtime.telemetry.journey import Journey, Stage
from runtime.telemetry.tally import Noted

_BEGUN = (metrics.IN_PROGRESS,), (1.0,)


class Counted(Protocol):
    """A request whose answer is ready, with the parts that metrics need."""

    @property
    def journey(self) -> Journey:
        """The request's journey, with its model, version and engine."""

    @property
    def method(self) -> str:
        """The method; it is a metric's label, and so one of few."""

    @property
    def route(self) -> str:
        """The route; it is a metric's label, and so one of few."""

    @property
    def status(self) -> int:
        """The status code of its answer, one of HTTP's."""

    @property
    def seconds(self) -> float:
        """The time that the request took."""

    @property
    def stages(self) -> Mapping[Stage, float]:
        """The seconds of that time that each stage took."""


def count_begun() -> None:
    """Count a request that has come."""
    metrics.TALLY.note(*_BEGUN)


def count_answered(answered: Counted) -> None:
    """Count a request that is answered."""
    journey, stages = answered.journey, answered.stages
    noted = _metrics_of(
        answered.method,
        answered.route,
        answered.status,
        journey.model,
        journey.version,
        journey.backend,
        tuple(stages),
    )
    values = [-1.0, 1.0, answered.seconds, *stages.values()]
    if len(noted) > len(values):
        values.append(1.0)
    metrics.TALLY.note(noted, values)


# To find the child of a metric by its labels takes 2 us; a request has eight of them.
@functools.lru_cache(maxsize=4096)
def _metrics_of(
    method: str,
    route: str,
    status: int,
    model: str,
    number: int | None,
    answered_by: str,
    stages: tuple[Stage, ...],
) -> tuple[Noted, ...]:
    """Return the metrics that such a request counts in, in the order of its values."""
    version = "" if number is None else str(number)
    noted: list[Noted] = [
        metrics.IN_PROGRESS,
        metrics.REQUESTS.labels(method, route, str(status), model, version),
        metrics.REQUEST_SECONDS.labels(route, model, version),
        *(metrics.STAGE.labels(stage, model) for stage in stages),
    ]
    if answered_by and status < 400:
        backend, _, device = answered_by.partition("/")
        noted.append(metrics.PREDICTIONS.labels(model, version, backend, device))
    return tuple(noted)
