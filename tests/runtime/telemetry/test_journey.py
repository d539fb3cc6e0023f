import threading
import time

import pytest

from runtime.errors import Expired
from runtime.telemetry.journey import CURRENT, Deadline, Journey


def test_a_stage_that_comes_twice_counts_twice():
    journey = Journey()
    journey.laps += [("infer", 1.0, 1.5), ("infer", 2.0, 2.25), ("encode", 3.0, 4.0)]
    assert journey.seconds == (None, None, 0.75, 1.0)


def test_nobody_waits_once_the_time_is_over_or_the_client_gone():
    Deadline().check()
    Deadline(time.perf_counter() + 60).check()
    with pytest.raises(Expired, match="time was over"):
        Deadline(time.perf_counter() - 1).check()
    left = Deadline()
    left.is_gone = True
    with pytest.raises(Expired, match="client has left"):
        left.check()


def test_each_thread_has_its_own_current_journey():
    CURRENT.set(Journey("mine"))
    others = []
    thread = threading.Thread(target=lambda: others.append(CURRENT.get()))
    thread.start()
    thread.join()
    assert others == [None]
    CURRENT.set(None)
