"""prometheus_client's private parts are as they were, and agree with its observe.

If a test fails after an update, see runtime/telemetry/histogram.py, and then the
dependency's range in pyproject.toml.
"""

import json
import math
import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, Histogram, values

from runtime.telemetry.histogram import observe_all

BOUNDS = (0.1, 1.0, 10.0)
VALUES = (0.0, 0.05, 0.1, 0.10001, 1.0, 9.0, 10.0, 11.0, 1e9, -1.0)


@pytest.fixture
def registry():
    return CollectorRegistry()


def made(registry, name):
    return Histogram(name, "…", ["model"], registry=registry, buckets=BOUNDS)


def told(registry, name):
    """Return the histogram's samples, without the time at which it was made."""
    return {
        (sample.name.removeprefix(name), *sorted(sample.labels.items())): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if metric.name == name and not sample.name.endswith("_created")
    }


def test_a_histogram_has_the_parts_that_are_relied_on(registry):
    histogram = made(registry, "h").labels("m")
    assert [*histogram._upper_bounds] == [*BOUNDS, math.inf]
    assert len(histogram._buckets) == len(BOUNDS) + 1
    for part in (histogram._sum, *histogram._buckets):
        assert type(part) is values.ValueClass
        assert part.get() == 0
        part.inc(2.5)
        assert part.get() == 2.5


def test_each_bucket_counts_its_own_and_none_below(registry):
    """prometheus_client adds the buckets up only when it is asked for them."""
    histogram = made(registry, "h").labels("m")
    histogram.observe(0.5)
    assert [bucket.get() for bucket in histogram._buckets] == [0, 1, 0, 0]


def test_many_at_once_are_as_one_after_the_other(registry):
    many, each = made(registry, "many"), made(registry, "each")
    for rows in (VALUES, VALUES[:1], (), VALUES[3:5]):
        observe_all(many.labels("m"), rows)
        for value in rows:
            each.labels("m").observe(value)
    expected = told(registry, "each")
    assert told(registry, "many") == expected
    assert expected["_count", ("model", "m")] == 13


def test_a_histogram_without_labels_takes_them_too(registry):
    observe_all(Histogram("plain", "…", registry=registry, buckets=BOUNDS), (0.5, 5.0))
    counts = {
        sample.labels["le"]: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "plain_bucket"
    }
    assert counts == {"0.1": 0.0, "1.0": 1.0, "10.0": 2.0, "+Inf": 2.0}


SHARED = """
import json, sys
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from runtime.telemetry.histogram import observe_all

values = json.loads(sys.argv[1])
many = Histogram("many", "…", ["model"], buckets=(0.1, 1.0, 10.0)).labels("m")
each = Histogram("each", "…", ["model"], buckets=(0.1, 1.0, 10.0)).labels("m")
observe_all(many, values)
for value in values:
    each.observe(value)
registry = CollectorRegistry()
MultiProcessCollector(registry)
told = {"many": [], "each": []}
for metric in registry.collect():
    for sample in metric.samples:
        told[metric.name].append(
            [sample.name.removeprefix(metric.name), sample.labels, sample.value]
        )
print(json.dumps(told))
"""


@pytest.mark.slow
def test_they_are_alike_in_the_files_that_processes_share(tmp_path):
    """The parts in such files have another class, which is chosen at the import."""
    done = subprocess.run(
        [sys.executable, "-c", SHARED, json.dumps(VALUES)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["many"] == found["each"]
    buckets = [row[2] for row in found["many"] if row[0] == "_bucket"]
    # VALUES were counted by hand: 4 are at most 0.1, 6 at most 1, 8 at most 10, and all
    # 10.
    assert buckets == [4, 6, 8, 10]
