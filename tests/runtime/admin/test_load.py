"""The load of models is the difference between two looks at the metrics."""

import httpx
import pytest

from runtime.admin.errors import Refused
from runtime.admin.load import Watch, quantile, read_metrics
from tfaas_onnx import Client

# The bounds are in seconds. Ten requests were answered, 5 of them within 10 ms.
BEFORE = """\
# TYPE tfaas_requests_total counter
tfaas_requests_total{method="POST",model="a",route="/json",status="200",version="1"} 9
tfaas_requests_total{method="POST",model="a",route="/json",status="400",version="1"} 1
tfaas_requests_total{method="GET",model="",route="/models",status="200",version=""} 50
# TYPE tfaas_request_seconds histogram
tfaas_request_seconds_bucket{le="0.01",model="a",route="/json",version="1"} 5
tfaas_request_seconds_bucket{le="0.1",model="a",route="/json",version="1"} 10
tfaas_request_seconds_bucket{le="+Inf",model="a",route="/json",version="1"} 10
# TYPE tfaas_stage_seconds histogram
tfaas_stage_seconds_count{model="a",stage="queue"} 8
tfaas_stage_seconds_sum{model="a",stage="queue"} 1
tfaas_stage_seconds_sum{model="a",stage="infer"} 100
# TYPE tfaas_requests_in_progress gauge
tfaas_requests_in_progress 3
# TYPE tfaas_models_loaded_bytes gauge
tfaas_models_loaded_bytes 700
"""


def after():
    """Return the metrics after 20 more requests, all within 10 ms.

    Four of them failed, and ten waited for 2 seconds together.
    """
    lines = BEFORE.splitlines()
    lines[1] = lines[1].replace("} 9", "} 25")
    lines[2] = lines[2].replace("} 1", "} 5")
    lines[5] = lines[5].replace("} 5", "} 25")
    lines[6] = lines[6].replace("} 10", "} 30")
    lines[7] = lines[7].replace("} 10", "} 30")
    lines[9] = lines[9].replace("} 8", "} 18")
    lines[10] = lines[10].replace("} 1", "} 3")
    return "\n".join(lines) + "\n"


MODELS = [
    {"name": "idle", "serves": 1},
    {
        "name": "a",
        "serves": 2,
        "loaded": 2,
        "backend": "onnxruntime",
        "device": "CPUExecutionProvider",
    },
]
STATUS = {
    "version": "1",
    "models": ["a:2"],
    "workers": 2,
    "Uptime": 60.0,
    "CPU": [10, 30],
    "Memory": {"Virtual": {"usedPercent": 41}},
}


def watch(*looks):
    """Watch a server with these metrics, whose looks are 10 seconds apart."""
    left, asked, clock = list(looks), [], iter(range(0, 1000, 10))

    def handle(request):
        asked.append(request.url.path)
        match request.url.path:
            case "/metrics":
                return httpx.Response(200, text=left.pop(0))
            case "/models":
                return httpx.Response(200, json=MODELS)
            case "/status":
                return httpx.Response(200, json=STATUS)
            case "/models/a/2":
                return httpx.Response(200, json={"name": "a", "version": 2, "bytes": 9})

    client = Client("http://service", transport=httpx.MockTransport(handle))
    return Watch(client, lambda: next(clock)), asked


def test_rates_are_those_of_the_time_between():
    watching, _ = watch(BEFORE, after())
    load = watching.measure()
    busy, idle = load.models
    assert (busy.model, busy.requests_per_second) == ("a", 2)
    assert busy.errors_per_second == pytest.approx(0.4)
    assert busy.queue_seconds == pytest.approx(0.2)
    # All 20 lie in the bucket up to 10 ms; half of them are below its middle.
    assert busy.p50_seconds == pytest.approx(0.005)
    assert busy.p99_seconds == pytest.approx(0.0099)
    assert (busy.bytes, busy.engine) == (9, "onnxruntime/CPU")
    assert (idle.model, idle.requests_per_second, idle.p50_seconds) == ("idle", 0, None)
    assert (idle.bytes, idle.engine, idle.queue_seconds) == (None, "", None)


def test_the_server_is_told_of_too():
    load = watch(BEFORE, after())[0].measure()
    assert (load.place, load.seconds, load.workers) == ("http://service", 10, 2)
    assert (load.cpu_percent, load.memory_percent) == (20, 41)
    # One of the three requests is the question itself.
    assert (load.in_progress, load.loaded_bytes, load.uptime_seconds) == (2, 700, 60)


def test_the_size_of_a_version_is_asked_once():
    watching, asked = watch(BEFORE, BEFORE, BEFORE)
    watching.measure()
    assert watching.measure().models[0].requests_per_second == 0
    assert asked.count("/models/a/2") == 1


def test_a_server_that_began_anew_counts_from_nothing():
    load = watch(after(), BEFORE)[0].measure()
    assert load.models[0].requests_per_second == 1


def test_a_server_that_tells_little_is_no_error(monkeypatch):
    monkeypatch.setattr(
        "tests.runtime.admin.test_load.STATUS", {"version": "1", "models": []}
    )
    load = watch("", "")[0].measure()
    assert (load.workers, load.cpu_percent, load.memory_percent) == (None, None, None)
    assert load.in_progress == 0


def test_a_text_that_is_no_metrics_is_a_sentence():
    with pytest.raises(Refused, match="the server's metrics cannot be read"):
        read_metrics("a b c d\n")


INFINITE = float("inf")


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ({}, 0.5, None),
        ({1.0: 0, INFINITE: 0}, 0.5, None),
        ({1.0: 10, INFINITE: 10}, 0.5, 0.5),
        ({1.0: 10, 2.0: 20, INFINITE: 20}, 0.75, 1.5),
        ({1.0: 0, 2.0: 10, INFINITE: 10}, 0.5, 1.5),
        ({1.0: 10, 2.0: 10, INFINITE: 10}, 1.0, 1.0),
        ({1.0: 10, INFINITE: 20}, 0.99, 1.0),
        ({2.0: 4, 1.0: 2, INFINITE: 4}, 0.25, 0.5),
    ],
)
def test_a_quantile_lies_in_its_bucket_by_its_rank(buckets, share, value):
    assert quantile(buckets, share) == value
