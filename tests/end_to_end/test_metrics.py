"""GET /metrics counts for all processes that answer behind one port."""

from __future__ import annotations

import json
import re
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, WAITRESS, serving
from tests.examples import write_bundle

ROW = {"keys": [], "values": [1, 2, 3, 4], "model": "linear"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"workers": 3, "verbose": 1}))
    write_bundle(tmp_path / "models" / "linear" / "1")
    return tmp_path


def ask(url, **query):
    # Each request has a new connection, which the kernel gives to any free worker.
    return CLIENT.post(f"{url}/json", json=ROW, params=query)


def samples(url):
    """Return the value of every sample, by its name and labels."""
    text = CLIENT.get(f"{url}/metrics").text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(counted, name, **labels):
    wanted = set(labels.items())
    return sum(
        value for (of, have), value in counted.items() if of == name and wanted <= have
    )


@pytest.mark.parametrize("command", [WAITRESS, RUNTIME], ids=["waitress", "runtime"])
def test_requests_are_counted_once_whichever_process_answers(folder, command):
    with serving(command, folder) as server:
        for _ in range(30):
            assert ask(server.url).json() == [1.0, 2.0, 7.0]
        for _ in range(5):
            assert ask(server.url, version=9).status_code == 404
        # Each worker adds up its answers every quarter of a second. One worker may have
        # refused requests to add when all predictions are counted.
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            predicted = total(samples(server.url), "tfaas_predictions_total")
            posted = CLIENT.get(f"{server.url}/status").json()["postRequests"]
            if (predicted, posted) == (30, 35):
                break
        # Any worker answers for all workers, and all give the same numbers.
        for _ in range(6):
            counted = samples(server.url)
            answered = {"route": "/json", "model": "linear", "version": "1"}
            assert total(counted, "tfaas_requests_total", **answered) == 30
            assert total(counted, "tfaas_request_seconds_count", **answered) == 30
            assert total(counted, "tfaas_predictions_total", model="linear") == 30
            for stage in ("queue", "decode", "infer", "encode"):
                name = "tfaas_stage_seconds_count"
                stages = {"stage": stage, "model": "linear"}
                assert total(counted, name, **stages) == 30
            rejects = {"route": "/json", "reason": "model_not_found"}
            assert total(counted, "tfaas_rejects_total", **rejects) == 5
            assert total(counted, "tfaas_build_info") >= 1
            # The numbers that TFaaS's own clients read say the same.
            assert CLIENT.get(f"{server.url}/status").json()["postRequests"] == 35


def test_a_name_that_a_client_makes_up_is_no_label(folder):
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        made_up = {**ROW, "model": "made-up-by-a-client"}
        assert CLIENT.post(f"{server.url}/json", json=made_up).status_code == 404
        assert CLIENT.get(f"{server.url}/made-up-by-a-client").status_code == 404
        assert CLIENT.get(f"{server.url}/models/made-up-by-a-client").status_code == 404
        text = CLIENT.get(f"{server.url}/metrics").text
    assert "made-up" not in text
    # These buckets are finer than Prometheus' own, which begin at 5 ms.
    bounds = re.findall(r'tfaas_request_seconds_bucket\{le="([0-9.e-]+)"', text)
    assert min(map(float, bounds)) == 0.0005
