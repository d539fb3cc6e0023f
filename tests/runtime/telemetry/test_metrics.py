import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[3]
COUNT = """
import os
from runtime.telemetry import metrics
metrics.REQUESTS.labels("GET", "/models", "200", "", "").inc(float({0}))
metrics.REQUESTS.labels("POST", "/upload", "200", "", "").inc()
metrics.REQUEST_SECONDS.labels("/models", "", "").observe(0.002)
metrics.LOADED.set({0})
metrics.BUILD_INFO.labels("0", "3", "1", "CPU").set(1)
print(os.getpid())
"""
TELL = """
import sys
from prometheus_client import generate_latest
from runtime.telemetry import (counters, metrics)
for pid in sys.argv[1:]:
    counters.forget_process(int(pid))
print(metrics.requests_answered("GET"), metrics.requests_answered("POST"))
print(generate_latest(metrics.current_registry()).decode())
"""


def python(script, folder, *arguments):
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def value(text, name, **labels):
    """Return the value of the one sample that has this name and these labels."""
    (found,) = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "metrics").mkdir()
    return tmp_path / "metrics"


@pytest.mark.slow
def test_a_folder_that_is_not_there_yet_is_made(tmp_path):
    """waitress-serve's users may name one; ``runtime serve`` makes it before."""
    python(COUNT.format(1), tmp_path / "not" / "there")
    assert python(TELL, tmp_path / "not" / "there").startswith("1 1\n")


@pytest.mark.slow
def test_what_two_processes_count_adds_up(folder):
    for n in (2, 5):
        python(COUNT.format(n), folder)
    sums, _, text = python(TELL, folder).partition("\n")
    assert sums == "7 2"
    assert value(text, "tfaas_requests_total", method="GET", route="/models") == 7
    assert value(text, "tfaas_requests_total", method="POST", route="/upload") == 2
    assert value(text, "tfaas_request_seconds_count", route="/models") == 2
    assert value(text, "tfaas_request_seconds_bucket", le="0.0025") == 2
    assert value(text, "tfaas_request_seconds_bucket", le="0.001") == 0
    assert value(text, "tfaas_build_info", onnxruntime="1", providers="CPU") == 1
    assert value(text, "tfaas_models_loaded") == 7


@pytest.mark.slow
def test_a_process_that_ended_leaves_its_counts_and_takes_its_gauges(folder):
    ended = python(COUNT.format(2), folder).strip()
    python(COUNT.format(5), folder)
    text = python(TELL, folder, ended).partition("\n")[2]
    assert value(text, "tfaas_requests_total", method="GET") == 7
    assert value(text, "tfaas_models_loaded") == 5
