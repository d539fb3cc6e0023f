"""The command runs with real servers."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "bench"]

needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="there is no wrk")
# The tests need what training and pip have made, and look at neither.
needs_made = pytest.mark.skipif(
    not (ROOT / ".bench/naive/requirements.txt").exists()
    or not (ROOT / ".bench/models/store/mnist/1/model.onnx").exists(),
    reason="make bench has not been run here",
)


@pytest.mark.slow
def test_unknown_server_is_a_usage_error():
    done = subprocess.run(
        [*COMMAND, "--server", "nginx"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "'nginx' is not one of 'ours'" in done.stderr


@pytest.mark.slow
@needs_wrk
@needs_made
def test_naive_falcon_on_waitress_is_measured():
    options = ["--quick", "--server=naive-waitress", "--work=a", "--seconds=1"]
    done = subprocess.run(
        [*COMMAND, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "naive-waitress   a c=64" in done.stdout
    assert "not measured" not in done.stdout
    assert "ERRORS" not in done.stdout
    assert "MNIST: decode and run, batch 1" in done.stdout
    # The share of the limit, the three processor times, and requests a second.
    row = r"^naive Falcon, waitress +\d\.\d\d( +[0-9][0-9,.]*){4} "
    assert len(re.findall(row, done.stdout, re.M)) == 3


@pytest.mark.slow
@needs_wrk
@needs_made
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_in_the_middle_it_leaves_no_process(number):
    process = subprocess.Popen(
        [*COMMAND, "--quick", "--server=naive-waitress", "--work=a", "--seconds=30"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout.readline() == "round 1 of 1\n"
        deadline = time.monotonic() + 30
        started = []
        while len(started) < 2 and time.monotonic() < deadline:  # the server and wrk
            started = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.1)
        assert len(started) >= 2
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + number
    assert "Traceback" not in stderr
    assert not [child for child in started if child.is_running()]
