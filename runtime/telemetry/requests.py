"""The count of requests: what a door, of whatever protocol, tells the metrics."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Protocol

from runtime.telemetry import metrics
from runtime.telemetry.journey import Journey, Stage
from runtime.telemetry.tally import Noted

_BEGUN = (metrics.IN_PROGRESS,), (1.0,)


class Counted(Protocol):
    """A request whose answer is ready, as far as metrics need it."""

    @property
    def journey(self) -> Journey:
        """What is known of its model, version and engine."""

    @property
    def method(self) -> str:
        """The method, one of few: it is a metric's label."""

    @property
    def route(self) -> str:
        """The route, one of few: it is a metric's label."""

    @property
    def status(self) -> int:
        """The code of its answer, as HTTP has it."""

    @property
    def seconds(self) -> float:
        """The time that it took."""

    @property
    def stages(self) -> Mapping[Stage, float]:
        """The seconds that each stage took of them."""


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


# A child of a metric is found by its labels in 2 us; a request has eight of them.
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
    """The metrics that such a request counts in, in the order of its values."""
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
