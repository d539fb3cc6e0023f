from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runtime.ray.fleet import of_all, with_replica


def replica(answered):
    registry = CollectorRegistry()
    Counter("answered", "Requests.", ("model",), registry=registry).labels("m").inc(
        answered
    )
    Gauge("loaded", "Models.", registry=registry).set(1)
    Histogram("seconds", "Time.", buckets=(1, 2), registry=registry).observe(answered)
    return registry.collect()


def test_each_metric_stands_once_with_the_samples_of_all_replicas():
    told = of_all([with_replica(replica(1), "a"), with_replica(replica(2), "b")])
    text = generate_latest(told).decode()
    assert text.count("# TYPE answered_total counter") == 1
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    key = "answered_total", ("model", "m")
    assert samples[(*key, ("replica", "a"))] == 1
    assert samples[(*key, ("replica", "b"))] == 2
    assert samples[("loaded", ("replica", "b"))] == 1
    bucket = "seconds_bucket", ("le", "1.0")
    assert samples[(*bucket, ("replica", "a"))] == 1
    assert samples[(*bucket, ("replica", "b"))] == 0


def test_no_replica_has_no_metrics():
    assert generate_latest(of_all([])) == b""
