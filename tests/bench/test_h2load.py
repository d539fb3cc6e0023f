"""h2load's output is read."""

import pytest

from bench.errors import BenchError
from bench.h2load import parse
from bench.round import Sent

# h2load 1.52.0 printed this.
RECORDED = """\
finished in 1.00s, 4.00 req/s, 1.22KB/s
requests: 4 total, 5 started, 4 done, 3 succeeded, 1 failed, 0 errored, 2 timeout
status codes: 3 2xx, 0 3xx, 1 4xx, 0 5xx
"""
TIMES = "1000\t200\t300\n1001\t200\t100\n1002\t404\t200\n1003\t200\t900\n"


def test_recorded_output_is_read():
    # The sorted times are 100, 200, 300 and 900 us.
    found = parse(RECORDED, TIMES, seconds=1)
    assert found == Sent(4, 1, 0.3, 0.9, refused=1, broken=2)


def test_load_without_an_answer_has_no_times():
    counted = "requests: 0 total, 8 started, 0 done, 0 succeeded, 0 failed"
    assert parse(f"{counted}, 8 errored, 0 timeout", "", 1) == Sent(
        0, 1, 0.0, 0.0, refused=0, broken=8
    )


@pytest.mark.parametrize(
    ("output", "times"), [("", TIMES), ("h2load: no\n", ""), (RECORDED, "1\t2\n")]
)
def test_output_of_another_kind_is_one_sentence(output, times):
    with pytest.raises(BenchError, match="is not understood"):
        parse(output, times, 1)
