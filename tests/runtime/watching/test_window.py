"""The window forgets what is older than its length."""

import numpy as np

from runtime.watching.window import SLOTS, Window, sum_of

LENGTH = SLOTS * 10.0


def counts(*numbers):
    return {"predicted": np.array(numbers)}


def sums(window, now):
    return {figure: found.tolist() for figure, found in window.sums(now).items()}


def test_counts_are_added():
    window = Window(LENGTH)
    window.add(counts(1, 2), now=1000)
    window.add(counts(0, 5), now=1001)
    window.add({"mean": np.array([1])}, now=1030)
    assert sums(window, 1030) == {"predicted": [1, 7], "mean": [1]}


def test_a_slot_goes_when_its_end_is_older_than_the_window():
    window = Window(LENGTH)
    window.add(counts(1, 0), now=1000)
    window.add(counts(0, 1), now=1010)
    assert sums(window, 1119) == {"predicted": [1, 1]}
    assert sums(window, 1120) == {"predicted": [0, 1]}
    assert sums(window, 1130) == {}


def test_it_holds_so_many_slots_at_most():
    window = Window(LENGTH)
    for second in range(1000):
        window.add(counts(1, 0), now=1000 + 10 * second)
    assert len(window.to_json(1000 + 9990)) == SLOTS
    assert sums(window, 1000 + 9990) == {"predicted": [SLOTS, 0]}


def test_the_windows_of_two_processes_are_one():
    first, second = Window(LENGTH), Window(LENGTH)
    first.add(counts(1, 0), now=1000)
    second.add(counts(3, 4), now=1055)
    both = [first.to_json(1055), second.to_json(1055)]
    assert sum_of(both, LENGTH, 1055)["predicted"].tolist() == [4, 4]
    assert sum_of(both, LENGTH, 1121)["predicted"].tolist() == [3, 4]


def test_a_clock_that_is_set_back_leaves_no_counts_behind():
    window = Window(LENGTH)
    window.add(counts(1, 0), now=5000)
    window.add(counts(0, 1), now=1000)
    assert sums(window, 1000) == {"predicted": [0, 1]}
    assert len(window.to_json(1000)) == 1
