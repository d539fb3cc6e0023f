"""prometheus_client's own observe gives the expected values."""

import threading

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from runtime.telemetry.tally import Tally

BOUNDS = (0.1, 1.0, 10.0)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def tally(registry):
    return Tally(registry)


def test_what_is_noted_is_there_when_somebody_collects(registry, tally):
    counter = Counter("requests", "…", registry=registry)
    for amount in (1.0, 2.5):
        tally.note((counter,), (amount,))
    assert registry.get_sample_value("requests_total") == 3.5
    assert registry.get_sample_value("requests_total") == 3.5


def test_a_histogram_is_as_if_each_were_observed(registry, tally):
    noted = Histogram("noted", "…", ["model"], registry=registry, buckets=BOUNDS)
    other = Counter("other", "…", registry=registry)
    observed = Histogram("observed", "…", ["model"], registry=registry, buckets=BOUNDS)
    for value in (0.0, 0.05, 0.1, 0.10001, 1.0, 9.0, 10.0, 11.0, 1e9, -1.0):
        tally.note((noted.labels("m"), other), (value, 1.0))
        observed.labels("m").observe(value)
    samples = {
        metric.name: [
            (s.name.removeprefix(metric.name), s.labels, s.value)
            for s in metric.samples
            if not s.name.endswith("_created")
        ]
        for metric in registry.collect()
    }
    assert samples["noted"] == samples["observed"]
    assert samples["noted"][0][2] == 4
    assert registry.get_sample_value("other_total") == 10


def test_without_anybody_who_collects_it_is_added_up(registry, tally):
    added = threading.Event()

    class Telling(Counter):
        def inc(self, *given):
            super().inc(*given)
            added.set()

    tally.note((Telling("requests", "…", registry=registry),), (1.0,))
    assert added.wait(30)


def test_if_the_thread_gets_no_turn_another_one_adds_up(registry):
    tally = Tally(registry, seconds=3600, most=10)
    threads = []

    class Telling(Counter):
        def inc(self, *given):
            super().inc(*given)
            threads.append(threading.current_thread())

    counter = Telling("requests", "…", registry=registry)
    for _ in range(11):
        tally.note((counter,), (1.0,))
    assert threads == [threading.current_thread()]


def test_nothing_is_lost_between_threads(registry, tally):
    counter = Counter("requests", "…", registry=registry)

    def note():
        for _ in range(1000):
            tally.note((counter,), (1.0,))

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        tally.add_up()
    for thread in threads:
        thread.join()
    assert registry.get_sample_value("requests_total") == 4_000
