"""The count and the log line of requests, which the doors of all protocols report."""

from __future__ import annotations

import functools
from itertools import compress
from typing import Any

from runtime.telemetry import logs, metrics
from runtime.telemetry.answered import Answered
from runtime.telemetry.journey import STAGES, Stage
from runtime.telemetry.tally import Noted

# Count a request that has come.
count_begun = functools.partial(metrics.TALLY.note, (metrics.IN_PROGRESS,), (1.0,))


def tell(answered: Answered) -> None:
    """Count a request that is answered, and log it."""
    log = logs.request_log
    if answered.level >= log.requests_level:
        log.note(answered)
    stages = STAGES
    seconds: tuple[Any, ...] = answered.stages
    if None in seconds:  # it did not come to each stage
        came = [spent is not None for spent in seconds]
        stages, seconds = tuple(compress(stages, came)), tuple(compress(seconds, came))
    noted = _metrics_of(
        answered.method,
        answered.route,
        answered.status,
        answered.model,
        answered.version,
        answered.backend,
        stages,
    )
    # The last value counts a prediction; the metrics of another request lack it.
    values = (-1.0, 1.0, answered.seconds, *seconds, 1.0)
    metrics.TALLY.note(noted, values[: len(noted)])


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
