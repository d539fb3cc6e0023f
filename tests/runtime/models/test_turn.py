"""Requests of one turn are one run; the hub here ends its turn when a test says so."""

import numpy as np
import pytest

from runtime.errors import BackendError, Expired
from runtime.lane import current_fiber
from runtime.models.joint_run import kind_of
from runtime.models.turn import Turn
from runtime.telemetry.journey import Deadline
from tests.runtime.hubs import Hub


class Doubling:
    """A model that doubles; it fails where an item is below 0."""

    def __init__(self):
        self.batches = []

    def __call__(self, inputs):
        (x,) = inputs.values()
        self.batches.append(len(x))
        if (x < 0).any():
            raise BackendError("below 0")
        return {"y": x * 2}


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def run():
    return Doubling()


def ask(turn, hub, *rows, deadline=None, name="x"):
    """Begin a request; return the list in which its answer will be."""
    answers = []
    inputs = {name: np.array(rows, np.float32)}

    def request():
        try:
            outputs = turn.submit(
                current_fiber(), inputs, len(rows), kind_of(inputs), deadline
            )
            answers.append(outputs["y"].tolist())
        except (BackendError, Expired) as ex:
            answers.append(str(ex))

    hub.begin(request, deadline)
    return answers


def test_all_of_one_turn_are_one_run_and_each_gets_its_own(hub, run):
    turn = Turn(run, 32, 0.0)
    answers = [ask(turn, hub, [1, 2]), ask(turn, hub, [3, 4], [5, 6])]
    assert (answers, run.batches) == ([[], []], [])
    hub.turn()
    assert answers == [[[[2, 4]]], [[[6, 8], [10, 12]]]]
    assert run.batches == [3]
    again = ask(turn, hub, [7, 8])
    hub.turn()
    assert again == [[[14, 16]]]


def test_a_run_has_an_end_and_the_rest_comes_in_the_next_turn(hub, run):
    turn = Turn(run, 2, 0.0)
    answers = [ask(turn, hub, [n, n]) for n in range(5)]
    hub.turn()
    assert [bool(answer) for answer in answers] == [True, True, False, False, False]
    hub.turn()
    hub.turn()
    assert run.batches == [2, 2, 1]
    assert answers == [[[[2 * n, 2 * n]]] for n in range(5)]


@pytest.mark.parametrize(("seconds", "items"), [(0.0016, 3), (0.008, 1)])
def test_a_run_takes_no_longer_than_others_may_wait(hub, run, seconds, items):
    """Three items of 1.6 ms take 5 ms; one item of 8 ms is run all the same."""
    turn = Turn(run, 32, seconds)
    for n in range(4):
        ask(turn, hub, [n, n])
    hub.turn()
    assert run.batches == [items]


def test_requests_of_another_kind_have_a_run_of_their_own(hub, run):
    turn = Turn(run, 32, 0.0)
    first, other, last = (
        ask(turn, hub, [1, 2]),
        ask(turn, hub, [1, 2, 3]),
        ask(turn, hub, [3, 4]),
    )
    hub.turn()
    hub.turn()
    assert run.batches == [2, 1]
    assert (first, other, last) == ([[[2, 4]]], [[[2, 4, 6]]], [[[6, 8]]])


def test_an_item_that_fails_fails_alone(hub, run):
    turn = Turn(run, 32, 0.0)
    good, bad = ask(turn, hub, [1, 2]), ask(turn, hub, [-1, 2])
    hub.turn()
    assert (good, bad) == ([[[2, 4]]], ["below 0"])


def test_nobody_runs_what_nobody_waits_for(hub, run):
    turn = Turn(run, 32, 0.0)
    deadline = Deadline()
    gone, there = ask(turn, hub, [1, 2], deadline=deadline), ask(turn, hub, [3, 4])
    deadline.is_gone = True
    hub.turn()
    assert run.batches == [1]
    assert "client has left" in gone[0]
    assert there == [[[6, 8]]]
