import threading
import time

import pytest

from runtime.access.limiter import RateLimiter


def test_what_is_left_is_counted_down_and_then_refused():
    limiter = RateLimiter("3-D")
    taken = [limiter.take("192.0.2.1") for _ in range(4)]
    assert [a.is_exceeded for a in taken] == [False, False, False, True]
    assert [a.remaining for a in taken] == [2, 1, 0, 0]
    assert {a.limit for a in taken} == {3}


@pytest.mark.parametrize(
    ("rate", "seconds", "unit"),
    [
        ("1-S", 1, "a second"),
        ("1-m", 60, "a minute"),
        ("1-H", 3600, "an hour"),
        ("1-D", 86400, "a day"),
    ],
)
def test_a_window_ends_when_its_unit_is_over(rate, seconds, unit):
    limiter = RateLimiter(rate)
    before = time.time()
    allowance = limiter.take("192.0.2.1")
    assert before + seconds <= allowance.reset <= time.time() + seconds + 1
    assert 1 <= allowance.wait <= seconds
    assert limiter.unit == unit


@pytest.mark.parametrize("jump", [-86400, -1.5, 1.5, 86400])
def test_a_clock_that_is_set_begins_new_windows(monkeypatch, jump):
    limiter = RateLimiter("1-M")
    limiter.take("192.0.2.1")
    assert limiter.take("192.0.2.1").is_exceeded
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + jump)
    taken = [limiter.take("192.0.2.1") for _ in range(2)]
    assert [a.is_exceeded for a in taken] == [False, True]
    assert all(a.wait <= 60 for a in taken)


@pytest.mark.parametrize(("jump", "passed"), [(0, 30), (0.5, 0), (-0.5, 0)])
def test_time_that_goes_by_and_a_small_correction_keep_the_counts(
    monkeypatch, jump, passed
):
    limiter = RateLimiter("1-D")
    limiter.take("192.0.2.1")
    clock, steady = time.time, time.monotonic
    monkeypatch.setattr(time, "time", lambda: clock() + passed + jump)
    monkeypatch.setattr(time, "monotonic", lambda: steady() + passed)
    assert limiter.take("192.0.2.1").is_exceeded


def test_a_client_does_not_use_up_anothers_rate():
    limiter = RateLimiter("1-D")
    assert not limiter.take("192.0.2.1").is_exceeded
    assert not limiter.take("192.0.2.2").is_exceeded
    assert limiter.take("192.0.2.1").is_exceeded


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("a:b", "a:c", False),
    ],
)
def test_an_ipv6_network_is_one_client(one, other, is_same):
    """RFC 4291: a host itself chooses its interface's id, the last 64 bits."""
    limiter = RateLimiter("1-D")
    limiter.take(one)
    assert limiter.take(other).is_exceeded == is_same


def test_threads_take_no_more_than_there_is():
    limiter = RateLimiter("50-D")
    taken = []

    def ask():
        for _ in range(25):
            taken.append(limiter.take("192.0.2.1"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    allowed = [a.remaining for a in taken if not a.is_exceeded]
    assert sorted(allowed) == list(range(50))
