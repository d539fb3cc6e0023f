import threading
import time

import pytest

from runtime.errors import Expired
from runtime.telemetry.journey import CURRENT, Deadline, Journey


def test_a_stage_that_is_entered_twice_counts_twice():
    journey = Journey()
    for _ in range(2):
        with journey.stage("infer"):
            pass
    with journey.stage("encode"):
        pass
    (_, *first), (_, *second), (_, *third) = journey.laps
    assert first[0] <= first[1] <= second[0] <= second[1] <= third[0] <= third[1]
    took = (first[1] - first[0]) + (second[1] - second[0])
    assert journey.seconds["infer"] == pytest.approx(took)
    assert list(journey.seconds) == ["infer", "encode"]


def test_the_stages_of_an_attempt_that_is_made_again_do_not_count():
    journey = Journey(draw=0.25)
    with journey.stage("decode"):
        pass
    journey.begin_anew()
    assert journey.seconds == {}
    assert journey.draw == 0.25


def test_nobody_waits_once_the_time_is_over_or_the_client_gone():
    Deadline().check()
    Deadline(time.perf_counter() + 60).check()
    with pytest.raises(Expired, match="time was over"):
        Deadline(time.perf_counter() - 1).check()
    left = Deadline()
    left.is_gone = True
    with pytest.raises(Expired, match="client has left"):
        left.check()


def test_a_stage_that_fails_is_measured_too():
    journey = Journey()
    with pytest.raises(ZeroDivisionError), journey.stage("decode"):
        1 / 0  # noqa: B018
    assert list(journey.seconds) == ["decode"]


def test_each_thread_has_its_own_current_journey():
    CURRENT.set(Journey("mine"))
    others = []
    thread = threading.Thread(target=lambda: others.append(CURRENT.get()))
    thread.start()
    thread.join()
    assert others == [None]
    CURRENT.set(None)
