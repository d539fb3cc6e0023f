"""The load of a server's models between two looks at its metrics."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from runtime.admin.errors import Refused
from tfaas_onnx import Client, NotFound

# The counts of a histogram, by their upper bounds in seconds.
Buckets = dict[float, float]


@dataclass
class _Counts:
    """The counts of one model since the server began."""

    requests: float = 0
    errors: float = 0
    queued: float = 0
    queue_seconds: float = 0
    buckets: Buckets = field(default_factory=lambda: defaultdict(float))

    def since(self, before: _Counts) -> _Counts:
        """Return what was added; all of it, if the server began anew meanwhile."""
        if self.requests < before.requests:
            return self
        return _Counts(
            self.requests - before.requests,
            self.errors - before.errors,
            self.queued - before.queued,
            self.queue_seconds - before.queue_seconds,
            {le: n - before.buckets.get(le, 0) for le, n in self.buckets.items()},
        )


@dataclass(frozen=True)
class _Look:
    """One look at a server's metrics."""

    models: dict[str, _Counts]
    in_progress: int
    loaded_bytes: int


@dataclass(frozen=True)
class ModelLoad:
    """The load of one model.

    Attributes:
        model: its name.
        requests_per_second: all requests for it.
        errors_per_second: those that were refused or failed.
        p50_seconds: the median time of a request; None without requests.
        p99_seconds: the time that 99 of 100 requests did not exceed.
        queue_seconds: the mean wait for the engine; None without predictions.
        bytes: the size of the files of the version in memory; None if there is none.
        engine: the engine and its device; empty while the model is not in memory.
    """

    model: str
    requests_per_second: float
    errors_per_second: float
    p50_seconds: float | None
    p99_seconds: float | None
    queue_seconds: float | None
    bytes: int | None
    engine: str


@dataclass(frozen=True)
class Load:
    """The load of a server.

    Attributes:
        place: its URL.
        seconds: the time over which it was measured.
        uptime_seconds: the time since it began; None if it does not tell.
        workers: the number of its processes.
        cpu_percent: the mean use of the machine's cores.
        memory_percent: the use of the machine's memory.
        in_progress: the requests that are being answered, without the question itself.
        loaded_bytes: the size of the files of all versions in memory, in all processes.
        models: the load of each model, the busiest first.
    """

    place: str
    seconds: float
    uptime_seconds: float | None
    workers: int | None
    cpu_percent: float | None
    memory_percent: float | None
    in_progress: int
    loaded_bytes: int
    models: tuple[ModelLoad, ...]


class Watch:
    """Measures the load of a server from one look to the next.

    Args:
        client: the client that asks the server.
        clock: a clock in seconds.

    Raises:
        ClientError: the server does not answer; ``measure`` raises it, too.
        Refused: its metrics are not Prometheus' text.
    """

    def __init__(
        self, client: Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._sizes: dict[tuple[str, int], int] = {}
        self._at = clock()
        self._before = self._look()

    def measure(self) -> Load:
        """Return the load since the last measurement, or since the begin."""
        now, look = self._clock(), self._look()
        seconds, before = max(now - self._at, 1e-9), self._before
        self._at, self._before = now, look
        loads = []
        for model in self._client.models():
            counts = look.models.get(model.name, _Counts())
            added = counts.since(before.models.get(model.name, _Counts()))
            loads.append(
                ModelLoad(
                    model.name,
                    added.requests / seconds,
                    added.errors / seconds,
                    quantile(added.buckets, 0.5),
                    quantile(added.buckets, 0.99),
                    added.queue_seconds / added.queued if added.queued else None,
                    self._size(model.name, model.content.get("loaded")),
                    model.backend.replace("ExecutionProvider", ""),
                )
            )
        loads.sort(key=lambda load: (-load.requests_per_second, load.model))
        status = self._client.status()
        return Load(
            self._client.place,
            seconds,
            _number(status.get("Uptime")),
            status.get("workers"),
            _mean(status.get("CPU")),
            _percent(status.get("Memory")),
            max(0, look.in_progress - 1),
            look.loaded_bytes,
            tuple(loads),
        )

    def _look(self) -> _Look:
        return read_metrics(self._client.metrics())

    def _size(self, name: str, version: object) -> int | None:
        """Return the size of a version's files, which do not change.

        It is None if the version is no number, because none is in memory.
        """
        if not isinstance(version, int):
            return None
        key = name, version
        if key not in self._sizes:
            try:
                self._sizes[key] = self._client.version(name, version).bytes
            except NotFound:  # somebody deleted it meanwhile
                return None
        return self._sizes[key]


def read_metrics(text: str) -> _Look:
    """Read the counts of all models from Prometheus' text.

    Raises:
        Refused: the text is another one.
    """
    models: defaultdict[str, _Counts] = defaultdict(_Counts)
    in_progress = loaded_bytes = 0.0
    try:
        samples = [
            sample
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]
    except ValueError as ex:
        raise Refused(f"the server's metrics cannot be read: {ex}") from ex
    for sample in samples:
        labels, value = sample.labels, sample.value
        counts = models[labels["model"]] if labels.get("model") else _Counts()
        match sample.name:
            case "tfaas_requests_total":
                counts.requests += value
                counts.errors += value if labels.get("status", "") >= "400" else 0
            case "tfaas_request_seconds_bucket":
                counts.buckets[float(labels["le"])] += value
            case "tfaas_stage_seconds_sum" if labels.get("stage") == "queue":
                counts.queue_seconds += value
            case "tfaas_stage_seconds_count" if labels.get("stage") == "queue":
                counts.queued += value
            case "tfaas_requests_in_progress":
                in_progress += value
            case "tfaas_models_loaded_bytes":
                loaded_bytes += value
    return _Look(dict(models), int(in_progress), int(loaded_bytes))


def quantile(buckets: Buckets, share: float) -> float | None:
    """Estimate a quantile of a histogram, as Prometheus' histogram_quantile does.

    Args:
        buckets: the number of values up to each bound; the last bound is infinite.
        share: the share of the values, 0 to 1.

    Returns:
        The value in the middle of its bucket by its rank; the highest finite bound, if
        it lies above that; None if there is no value.
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = share * buckets[bounds[-1]]
    below, begin = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return begin
            inside = buckets[bound] - below
            part = (rank - below) / inside if inside else 1.0
            return begin + (bound - begin) * part
        below, begin = buckets[bound], bound
    return begin


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _mean(values: object) -> float | None:
    if not isinstance(values, Iterable) or not (
        numbers := [value for value in values if isinstance(value, (int, float))]
    ):
        return None
    return sum(numbers) / len(numbers)


def _percent(memory: object) -> float | None:
    virtual = memory.get("Virtual") if isinstance(memory, dict) else None
    if not isinstance(virtual, dict):
        return None
    return _number(virtual.get("usedPercent"))
