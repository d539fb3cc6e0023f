import threading

import pytest

from runtime.process.lane import Handover, leave_the_quick_lane, run_quickly


def test_what_is_not_quick_leaves():
    with pytest.raises(Handover) as caught:
        run_quickly(lambda: leave_the_quick_lane("mnist"))
    assert caught.value.model == "mnist"
    leave_the_quick_lane("mnist")  # nothing happens outside the quick lane


def test_other_threads_have_time():
    def work():
        thread = threading.Thread(target=leave_the_quick_lane)
        thread.start()
        thread.join()
        return "done"

    assert run_quickly(work) == "done"


def test_no_error_handler_takes_it_for_a_failure():
    assert not issubclass(Handover, Exception)
