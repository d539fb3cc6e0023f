"""wrk gets requests that it can send, and its output is read."""

import json
import shutil
import subprocess

import pytest

from bench.errors import BenchError
from bench.live import Live
from bench.load import load
from bench.round import Round, Sent
from bench.wire import Request
from bench.wrk import parse

# wrk 4.1.0 printed this with load.lua.
RECORDED = """\
Running 3s test @ http://127.0.0.1:41017/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.40ms    1.99ms  31.74ms   91.02%
    Req/Sec     3.06k   611.25     4.02k    66.67%
  9150 requests in 3.00s, 1.90MB read
  Non-2xx or 3xx responses: 150
Requests/sec:   3050.00
Transfer/sec:    648.13KB
{"requests":9150,"duration":3000000,"p50":2400,"p99":8130,"status":150,"socket":2}
"""


def test_recorded_output_is_read():
    found = parse(RECORDED)
    assert found == Sent(9150, 3.0, 2.4, 8.13, refused=150, broken=2)
    # 3.66 s / 9150 requests = 400 us, and 0.183 s / 9150 = 20 us.
    load = found.round(server=3.66, load=0.183)
    assert load == Round(3000.0, 2.4, 8.13, 152, 400.0, 20.0)


def test_load_without_an_answer_has_no_processor_time_of_one():
    line = {"requests": 0, "duration": 9, "p50": 0, "p99": 0, "status": 0, "socket": 8}
    found = parse(json.dumps(line)).round(server=0.5, load=0.25)
    assert found == Round(0.0, 0.0, 0.0, 8, None, None)


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1", "{}", "[]"])
def test_output_of_another_kind_is_one_sentence(output):
    with pytest.raises(BenchError, match="wrk's output is not understood"):
        parse(output)


def test_run_without_a_second_is_one_sentence():
    line = {"requests": 0, "duration": 0, "p50": 0, "p99": 0, "status": 0, "socket": 0}
    with pytest.raises(BenchError, match="not understood"):
        parse(json.dumps(line))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("wrk"), reason="there is no wrk")
def test_wrk_counts_what_is_refused(tmp_path):
    server = subprocess.Popen(
        ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = int(server.stdout.readline().split(" port ")[1].split()[0])
        request = Request("/x", {"Content-Type": "text/plain"}, b"a\0b", "none")
        both = [(60, request), (40, request)]
        for requests in ([(100, request)], both):
            found = load(Live(port, 0, tmp_path, tmp_path, 0.0, ""), requests, 2, 1)
            # The server accepts no POST: it answers 501 to every request.
            assert found.requests_per_second == 0
            assert found.errors > 0
            # Python's simple server takes longer for a request than wrk does.
            assert found.server_us > found.load_us > 0
    finally:
        server.kill()
        server.communicate()
