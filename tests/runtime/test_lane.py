"""Greenlets are parked while threads work; the hub here is made by hand."""

import threading
import weakref
from contextvars import ContextVar

import pytest
from greenlet import getcurrent, greenlet

from runtime.errors import Expired, Overloaded
from runtime.lane import MOST_FREE, Fiber, current_fiber, elsewhere
from runtime.telemetry.journey import Deadline
from tests.runtime.hubs import PATIENCE, Hub

NAME = ContextVar("name", default="nobody")


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.pool.shutdown()


def test_without_a_front_the_call_is_made_at_once():
    assert elsewhere(threading.current_thread) is threading.current_thread()
    assert current_fiber() is None


def test_a_request_is_parked_until_its_call_is_made(hub):
    order, go_on = [], threading.Event()

    def work():
        assert go_on.wait(PATIENCE)
        return threading.current_thread()

    def run():
        order.append("begins")
        order.append(elsewhere(work, "mnist"))

    hub.begin(run)
    hub.begin(lambda: order.append("another"))
    go_on.set()
    hub.turn()
    assert order[:2] == ["begins", "another"]
    assert order[2] is not threading.current_thread()
    assert hub.offered == ["mnist"]


def test_a_call_within_a_call_is_simply_made(hub):
    found = []
    hub.begin(lambda: found.append(elsewhere(lambda: elsewhere(lambda: 1))))
    hub.turn()
    assert found == [1]
    assert len(hub.offered) == 1


def test_errors_of_the_call_are_the_requests(hub):
    caught = []

    def fail():
        raise KeyError("bug")

    def run():
        try:
            elsewhere(fail)
        except KeyError as ex:
            caught.append(ex)

    hub.begin(run)
    hub.turn()
    assert str(caught[0]) == "'bug'"


def test_more_than_may_wait_are_refused(hub):
    hub.refuses = True
    caught = []

    def run():
        for key in ("mnist", ""):
            try:
                elsewhere(lambda: 1, key)
            except Overloaded as ex:
                caught.append(str(ex))

    hub.begin(run)
    assert caught == [
        "7 requests wait for the model already; try again in a moment",
        "7 requests wait already; try again in a moment",
    ]


@pytest.mark.parametrize("why", ["time", "client"])
def test_a_parked_request_ends_when_nobody_waits_for_it(hub, why):
    go_on, made, caught = threading.Event(), [], []
    deadline = Deadline(0.5)  # this time of perf_counter is long over

    def run():
        try:
            elsewhere(lambda: made.append(go_on.wait(PATIENCE)))
        except Expired as ex:
            caught.append(str(ex))

    lane = hub.begin(run, deadline)
    ((when, expire),) = hub.timers
    assert when == 0.5
    if why == "time":
        expire()
    else:
        deadline.at = None
        lane.leave()
    (sentence,) = caught
    assert why in sentence
    assert lane in hub.free
    # The call is still being made, and wakes nobody any more.
    go_on.set()
    hub.turn()
    assert hub.timers == []


def test_a_call_for_nobody_is_not_made(hub):
    go_on, made = threading.Event(), []
    hub.pool.submit(lambda: go_on.wait(PATIENCE))

    def run():
        with pytest.raises(Expired):
            elsewhere(lambda: made.append(1))

    hub.begin(run).leave()
    go_on.set()
    hub.pool.shutdown()
    assert made == []


def test_each_request_has_its_own_context(hub):
    """The request's id in the log comes from such a variable."""
    seen = []

    def run(name):
        NAME.set(name)
        seen.append(elsewhere(NAME.get))
        seen.append(NAME.get())

    for name in ("one", "two"):
        hub.begin(lambda name=name: run(name))
    for _ in range(2):
        hub.turn()
    assert seen == ["one", "one", "two", "two"]
    assert NAME.get() == "nobody"
    hub.begin(lambda: seen.append(NAME.get()))  # a fiber that is used again
    assert seen[-1] == "nobody"


def test_a_greenlet_is_used_again_and_knows_nothing_of_its_last_request(hub):
    kept, order = [], []
    first = hub.begin(lambda: order.append("first"), Deadline(0.0))
    again = hub.begin(lambda: order.append(elsewhere(lambda: "second")), Deadline())
    assert again is first
    hub.turn()  # its deadline is its own, and not the one before, which is over
    assert order == ["first", "second"]
    parked = [hub.begin(lambda: kept.append(elsewhere(lambda: 1))) for _ in range(3)]
    for _ in parked:
        hub.turn()
    assert kept == [1, 1, 1]
    assert len(set(parked)) == 3


def test_only_so_many_greenlets_wait_for_requests(hub):
    lanes = [hub.begin(lambda: elsewhere(lambda: 1)) for _ in range(MOST_FREE + 3)]
    for _ in lanes:
        hub.turn()
    assert len(hub.free) == MOST_FREE
    assert sum(lane.dead for lane in lanes) == 3


def test_a_greenlet_that_waits_keeps_no_request_alive(hub):
    class Request:
        pass

    request, given = Request(), []
    gone = weakref.ref(request)
    fiber = Fiber(hub, getcurrent(), hub.free)
    fiber.begin(lambda one: given.append(one is gone()), request, Deadline())
    assert given == [True]
    del request
    assert gone() is None


def test_a_request_that_ends_gives_the_thread_to_the_one_that_was_named(hub):
    """Another request may have begun it."""
    main = greenlet(lambda: None)
    assert Fiber(hub, main, []).parent is main


@pytest.mark.parametrize("calls", [0, 1])
def test_a_client_may_leave_while_its_request_waits_for_no_thread(hub, calls):
    def run():
        for _ in range(calls):
            elsewhere(int)
        current_fiber().park()

    lane = hub.begin(run)
    for _ in range(calls):
        hub.turn()
    assert hub.offered == [""] * calls, "they are for no model"
    lane.leave()
    assert lane.deadline.is_gone
    lane.switch()
    assert lane in hub.free
