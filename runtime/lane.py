"""The quick lane: one thread that answers all requests, and waits for none of them.

``runtime serve`` answers the requests of a process in one thread, because threads that
take turns cost more than they give. Each request runs in a greenlet of that thread. A
step that takes long, or waits, is made by another thread; the greenlet is parked until
then, and the thread goes on with other requests. Under waitress, in tests and in
commands there is no such thread, and ``elsewhere`` simply calls.

No lock may be held while a greenlet is parked: the next request of the same thread
would wait for it for ever.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

from runtime.errors import Expired, Overloaded
from runtime.telemetry.journey import Deadline

_Result = TypeVar("_Result")
_Request = TypeVar("_Request")

# Work in the quick lane takes at most so many seconds. Health checks wait behind it. If
# 32 connections take so long each, the last one waits some 40 ms.
QUICK_SECONDS = 0.001

# The most greenlets that wait for a request. Each takes some 20 KB.
MOST_FREE = 128


class Hub(Protocol):
    """The thread of all requests, and the threads that work for it."""

    def offer(self, key: str, call: Callable[[], object]) -> bool:
        """Let a thread make a call; return False if too many wait for this key."""

    def most_waiting(self) -> int:
        """Return the most calls of one key that may wait."""

    def soon(self, call: Callable[[], object]) -> None:
        """Make a call when the turn of all requests that are ready is over."""

    def wake(self, call: Callable[[], object]) -> None:
        """Make a call in the thread of all requests; any thread may ask for it."""

    def at(self, when: float, call: Callable[[], object]) -> Callable[[], object]:
        """Make a call at a time of ``time.perf_counter``; return what calls it off."""


class Fiber(greenlet):
    """A greenlet that answers requests, one after the other.

    It is used again, because Python gives each new greenlet 16 KB of memory by a system
    call, and takes it back by another one, which together take 6 us.

    Args:
        hub: the thread of all requests.
        main: the thread's own greenlet, which runs while this one is parked.
        free: the greenlets that wait for a request. This one adds itself when it has
            answered, or ends if there are enough.

    Attributes:
        deadline: the deadline of its request. A request that is parked elsewhere gets
            ``Expired`` there when its time is over.
    """

    deadline: Deadline
    _answer: Callable[[Any], object] | None
    _request: Any

    def __init__(self, hub: Hub, main: greenlet, free: list[Fiber]) -> None:
        super().__init__(None, main)
        self.hub = hub
        self._main = main
        self._free = free
        self._work: _Work | None = None

    def begin(
        self,
        answer: Callable[[_Request], object],
        request: _Request,
        deadline: Deadline,
    ) -> None:
        """Answer a request, until it is parked for the first time or is answered.

        Args:
            answer: the function that answers it; it raises nothing.
            request: the request, which the function gets.
            deadline: the request's deadline.
        """
        self._answer, self._request, self.deadline = answer, request, deadline
        self.switch()

    def run(self) -> None:
        """Answer requests for ever; ``begin`` brings them."""
        while True:
            answer, request = self._answer, self._request
            assert answer is not None, "the request came with it"
            # A greenlet that waits must not keep its last request alive.
            self._answer = self._request = None
            answer(request)
            del answer, request
            # The next request must not see this one's context variables.
            self.gr_context = None
            if len(self._free) >= MOST_FREE:
                return
            self._free.append(self)
            self.park()

    def park(self) -> None:
        """Let other requests go on until this greenlet is switched to."""
        self._main.switch()

    def elsewhere(self, call: Callable[[], _Result], key: str) -> _Result:
        """Let a thread make a call; see the function of this name."""
        context = contextvars.copy_context()
        work = _Work(functools.partial(context.run, call), self)
        if not self.hub.offer(key, work):
            raise too_many(key, self.hub.most_waiting())
        self._work = work
        call_off = None
        if self.deadline.at is not None:
            call_off = self.hub.at(self.deadline.at, work.expire)
        try:
            self.park()
        finally:
            self._work = None
            work.is_wanted = False
            if call_off is not None:
                call_off()
        if work.error is not None:
            raise work.error
        result: _Result = work.result
        return result

    def leave(self) -> None:
        """Wake the request with an error if it waits: its client has left."""
        self.deadline.is_gone = True
        if self._work is not None:
            self._work.expire()


class _Work:
    """A call for a thread, and its result.

    Attributes:
        is_wanted: whether the greenlet still waits for the result.
    """

    __slots__ = ("_call", "_fiber", "error", "is_wanted", "result")

    def __init__(self, call: Callable[[], Any], fiber: Fiber) -> None:
        self._call = call
        self._fiber = fiber
        self.is_wanted = True
        self.result: Any = None
        self.error: BaseException | None = None

    def __call__(self) -> None:
        """Make the call in a thread, unless nobody waits for it any more."""
        if not self.is_wanted:
            return
        try:
            self.result = self._call()
        except BaseException as ex:
            self.error = ex
        self._fiber.hub.wake(self._resume)

    def _resume(self) -> None:
        if self.is_wanted:
            self._fiber.switch()

    def expire(self) -> None:
        """Wake the greenlet with an error, if nobody waits for its request any more."""
        try:
            self._fiber.deadline.check()
        except Expired as ex:
            if self.is_wanted:
                self._fiber.throw(ex)


def too_many(key: str, most: int) -> Overloaded:
    """Make the error of a call for which no thread is free.

    Args:
        key: the call's key; empty if it is for no model.
        most: the most calls of one key that may wait.
    """
    what = " for the model" if key else ""
    return Overloaded(f"{most} requests wait{what} already; try again in a moment")


def elsewhere(call: Callable[[], _Result], key: str = "") -> _Result:
    """Make a call that takes long, or may wait, without keeping other requests waiting.

    Args:
        call: the call. Another thread makes it if this one answers all requests.
        key: the model that the call is for; empty if it is for none. Only so many calls
            of one key may wait for a thread.

    Returns:
        The result of the call.

    Raises:
        Overloaded: too many calls of this key wait already.
        Expired: the request's time is over, or its client has left. The call is not
            made, or its result is dropped.
        BaseException: any error that the call raises.
    """
    fiber = getcurrent()
    return fiber.elsewhere(call, key) if isinstance(fiber, Fiber) else call()


def current_fiber() -> Fiber | None:
    """Return the fiber of the request that this thread answers, if it may park."""
    fiber = getcurrent()
    return fiber if isinstance(fiber, Fiber) else None
