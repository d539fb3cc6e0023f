"""The load of the service and of each model, for pages that show it live.

Many pages may ask, so the metrics are read seldom, and one reading answers all pages.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.telemetry.metrics import SECONDS, current_registry

# A reading is kept for so many seconds. Pages ask once a second.
_LEAST_SECONDS = 0.9
# A reading is kept for so many times the processor time that it took, so that no number
# of models lets the readings take more than 1 % of a core.
_TIMES = 100


@dataclass
class ModelLoad:
    """The sums of one model, or of several, since the service began.

    Attributes:
        requests: its requests; those that failed are among them.
        failed: those that were refused or failed.
        seconds: the time of all its requests.
        queue: the time that requests waited for it.
        runs: the runs of its engine.
        items: the items in these runs.
        buckets: its requests by time; one number for each of ``SECONDS``, for those
            that took at most so long and longer than the bound before, and one for the
            slower ones.
    """

    requests: int = 0
    failed: int = 0
    seconds: float = 0.0
    queue: float = 0.0
    runs: int = 0
    items: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))

    def add(self, other: ModelLoad) -> None:
        """Add the sums of another model."""
        self.requests += other.requests
        self.failed += other.failed
        self.seconds += other.seconds
        self.queue += other.queue
        self.runs += other.runs
        self.items += other.items
        pairs = zip(self.buckets, other.buckets, strict=True)
        self.buckets = [one + two for one, two in pairs]


@dataclass
class Load:
    """One reading.

    Attributes:
        at: its time, in seconds of a clock that all processes of the machine share.
        models: the sums of each model that had a request.
        in_progress: the requests that are being answered.
        loaded: the versions in memory, in all processes.
        loaded_bytes: the bytes of their files.
        events: the loads, the conversions and the failures of live parity that let
            TensorFlow serve, so far; a change of this number tells that the state of a
            model changed.
    """

    at: float
    models: dict[str, ModelLoad] = field(default_factory=dict)
    in_progress: int = 0
    loaded: int = 0
    loaded_bytes: int = 0
    events: int = 0


class LoadReader:
    """Reads the load of this process, or of all processes that share the metrics.

    Args:
        clock: the clock of the readings' times.
        spent: the clock of the processor time that a reading takes.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock, self._spent = clock, spent
        self._lock = threading.Lock()
        self._load: Load | None = None
        self._until = -math.inf

    @property
    def is_due(self) -> bool:
        """Tell whether ``read`` would read the metrics anew."""
        return self._clock() >= self._until

    def read(self) -> Load:
        """Return the last reading, or a new one if it is too old."""
        with self._lock:
            now = self._clock()
            if self._load is None or now >= self._until:
                start = self._spent()
                self._load = _read(now)
                took = self._spent() - start
                self._until = now + max(_LEAST_SECONDS, _TIMES * took)
            return self._load


# The places of the buckets by their label ``le``.
_PLACES = {bound: place for place, bound in enumerate((*SECONDS, math.inf))}


def _read(at: float) -> Load:
    load = Load(at)
    models: defaultdict[str, ModelLoad] = defaultdict(ModelLoad)
    for metric in current_registry().collect():
        for sample in metric.samples:
            value, labels = sample.value, sample.labels
            match sample.name:
                case "tfaas_requests_in_progress":
                    load.in_progress = int(value)
                case "tfaas_models_loaded":
                    load.loaded = int(value)
                case "tfaas_models_loaded_bytes":
                    load.loaded_bytes = int(value)
                case "tfaas_model_loads_total" | "tfaas_conversions_total":
                    load.events += int(value)
                # Its other reasons come with a load, or hold for one request alone.
                case "tfaas_fallbacks_total" if labels["reason"] == "live_parity":
                    load.events += int(value)
                case _ if name := labels.get("model"):
                    _count(models[name], sample.name, labels, value)
    for sums in models.values():
        # Prometheus counts in each bucket all that is below its bound.
        pairs = zip(sums.buckets, [0, *sums.buckets], strict=False)
        sums.buckets = [upper - lower for upper, lower in pairs]
    load.models = dict(models)
    return load


def _count(sums: ModelLoad, sample: str, labels: dict[str, str], value: float) -> None:
    match sample:
        case "tfaas_requests_total":
            sums.requests += int(value)
            if labels["status"] >= "400":
                sums.failed += int(value)
        case "tfaas_request_seconds_sum":
            sums.seconds += value
        case "tfaas_request_seconds_bucket":
            sums.buckets[_PLACES[float(labels["le"])]] += int(value)
        case "tfaas_stage_seconds_sum" if labels["stage"] == "queue":
            sums.queue += value
        case "tfaas_batch_size_count":
            sums.runs += int(value)
        case "tfaas_batch_size_sum":
            sums.items += int(value)
