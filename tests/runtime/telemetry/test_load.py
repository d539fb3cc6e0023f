"""The load is read from the metrics, for all processes, and not too often."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runtime.telemetry import load
from runtime.telemetry.load import LoadReader, ModelLoad
from runtime.telemetry.metrics import BATCH_SIZES, SECONDS, STAGE_SECONDS


@pytest.fixture
def metrics(monkeypatch):
    """Put metrics with the service's own names in the place of the service's."""
    registry = CollectorRegistry()
    found = {
        "requests": Counter(
            "tfaas_requests",
            "",
            ("method", "route", "status", "model", "version"),
            registry=registry,
        ),
        "seconds": Histogram(
            "tfaas_request_seconds",
            "",
            ("route", "model", "version"),
            buckets=SECONDS,
            registry=registry,
        ),
        "stage": Histogram(
            "tfaas_stage_seconds",
            "",
            ("stage", "model"),
            buckets=STAGE_SECONDS,
            registry=registry,
        ),
        "batch": Histogram(
            "tfaas_batch_size", "", ("model",), buckets=BATCH_SIZES, registry=registry
        ),
        "loads": Counter(
            "tfaas_model_loads", "", ("model", "version", "result"), registry=registry
        ),
        "fallbacks": Counter(
            "tfaas_fallbacks", "", ("model", "version", "reason"), registry=registry
        ),
        "in_progress": Gauge("tfaas_requests_in_progress", "", registry=registry),
        "loaded": Gauge("tfaas_models_loaded", "", registry=registry),
        "bytes": Gauge("tfaas_models_loaded_bytes", "", registry=registry),
    }
    monkeypatch.setattr(load, "current_registry", lambda: registry)
    return found


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def answer(metrics, model, status, seconds, version="1", route="/json"):
    metrics["requests"].labels("POST", route, str(status), model, version).inc()
    metrics["seconds"].labels(route, model, version).observe(seconds)


def test_the_requests_of_a_model_are_added_up_over_routes_and_versions(metrics):
    answer(metrics, "mnist", 200, 0.0004)
    answer(metrics, "mnist", 200, 0.02, version="2")
    answer(metrics, "mnist", 400, 20, route="/image")
    answer(metrics, "", 404, 0.1)  # it named no model
    metrics["stage"].labels("queue", "mnist").observe(0.25)
    metrics["stage"].labels("infer", "mnist").observe(0.5)
    metrics["batch"].labels("mnist").observe(3)
    metrics["batch"].labels("mnist").observe(1)
    read = LoadReader().read()
    assert read.models == {
        "mnist": ModelLoad(
            requests=3,
            failed=1,
            seconds=20.0204,
            queue=0.25,
            runs=2,
            items=4,
            # The bounds are 0.5 ms, 1, 2.5, 5, 10, 25 ms, …, 10 s, and beyond.
            buckets=[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        )
    }


def test_the_state_of_the_service_is_read(metrics):
    metrics["in_progress"].set(3)
    metrics["loaded"].set(2)
    metrics["bytes"].set(1_300_000)
    metrics["loads"].labels("mnist", "1", "ok").inc()
    metrics["loads"].labels("iris", "1", "failed").inc()
    read = LoadReader().read()
    assert (read.in_progress, read.loaded, read.loaded_bytes) == (3, 2, 1_300_000)
    assert read.events == 2


def test_a_model_that_gives_way_is_an_event_and_a_single_request_is_none(metrics):
    metrics["fallbacks"].labels("mnist", "1", "live_parity").inc()
    metrics["fallbacks"].labels("mnist", "1", "request").inc(5)
    assert LoadReader().read().events == 1


def test_many_who_ask_at_once_get_one_reading(metrics):
    clock = Clock()
    reader = LoadReader(clock)
    first = reader.read()
    clock.now += 0.5
    assert reader.read() is first
    assert not reader.is_due
    clock.now += 0.5
    assert reader.is_due
    second = reader.read()
    assert (first.at, second.at) == (100.0, 101.0)


def test_a_dear_reading_is_kept_longer(metrics):
    """A reading of 0.1 s is made at most each 10 s: it takes 1 % of a core."""
    clock, spent = Clock(), iter([0.0, 0.1, 0.1, 0.2])
    reader = LoadReader(clock, lambda: next(spent))
    first = reader.read()
    clock.now += 9.9
    assert reader.read() is first
    clock.now += 0.2
    assert reader.read() is not first


def test_sums_of_models_are_added():
    one = ModelLoad(1, 0, 0.5, 0.1, 1, 1, [1] + [0] * len(SECONDS))
    one.add(ModelLoad(2, 1, 1.5, 0.2, 1, 2, [0, 2] + [0] * (len(SECONDS) - 1)))
    assert (one.requests, one.failed, one.seconds, one.runs) == (3, 1, 2.0, 2)
    assert one.queue == pytest.approx(0.3)
    assert (one.items, one.buckets[:3]) == (3, [1, 2, 0])
