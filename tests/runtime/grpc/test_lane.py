import threading

import pytest

from runtime.grpc.lane import OrTheirs
from runtime.telemetry.journey import Deadline

PATIENCE = 30


class Theirs:
    """A lane that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def ask(self, call, deadline, size, key):
        self.asked.append((deadline, size, key))
        return call()


def test_a_call_that_is_alone_is_made_here():
    theirs = Theirs()
    lane = OrTheirs(theirs)
    for _ in range(2):
        assert (
            lane.ask(threading.get_ident, Deadline(), 1, "/m") == threading.get_ident()
        )
    assert not theirs.asked


def test_others_are_made_there_meanwhile():
    theirs = Theirs()
    lane = OrTheirs(theirs)
    deadline = Deadline()

    def alone():
        return lane.ask(lambda: "second", deadline, 7, "/m")

    assert lane.ask(alone, Deadline(), 1, "/m") == "second"
    assert theirs.asked == [(deadline, 7, "/m")]


def test_an_error_makes_room_too():
    theirs = Theirs()
    lane = OrTheirs(theirs)

    def fail():
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            lane.ask(fail, Deadline(), 1, "/m")
    assert not theirs.asked
