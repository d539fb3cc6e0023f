"""Threads of calls: few for quick calls, more for those that wait."""

import threading

import pytest

from runtime.grpc.threads import Threads

SECONDS = 30


class Ticks:
    """A sleep that lasts until the test says that the time is over."""

    def __init__(self):
        self._begun, self._over = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, seconds):
        self._begun.release()
        self._over.acquire()  # a thread that nobody ends sleeps until the tests end

    def wait(self):
        """Wait until the next sleep has begun."""
        assert self._begun.acquire(timeout=SECONDS)

    def pass_(self, count=1):
        self._over.release(count)


class Held:
    """A call that ends when the test says so."""

    def __init__(self):
        self.begun, self._end = threading.Event(), threading.Event()

    def __call__(self):
        self.begun.set()
        assert self._end.wait(SECONDS)
        return threading.get_ident()

    def end(self):
        self._end.set()


def held(threads, count):
    """Start calls, and return them with their futures when all have begun."""
    calls = [Held() for _ in range(count)]
    futures = [threads.submit(call) for call in calls]
    for call in calls:
        assert call.begun.wait(SECONDS)
    return calls, futures


def test_a_call_gets_its_arguments_and_tells_its_end():
    threads = Threads(1, 1)
    assert threads.submit(divmod, 7, 2).result(SECONDS) == (3, 1)
    assert threads.submit(int, "12", base=8).result(SECONDS) == 10
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(SECONDS)


def test_quick_calls_share_few_threads():
    threads = Threads(2, 16)
    futures = [threads.submit(threading.get_ident) for _ in range(200)]
    # The system gives a thread that has ended no number twice while others run.
    assert len({future.result(SECONDS) for future in futures}) <= 2


def test_calls_wait_while_others_end_and_get_threads_when_none_does():
    ticks = Ticks()
    threads = Threads(2, 4, sleep=ticks)
    calls, futures = held(threads, 2)
    later = [Held() for _ in range(3)]
    waiting = [threads.submit(call) for call in later]
    assert not any(call.begun.is_set() for call in later)
    ticks.pass_()
    # Four is the most.
    for call in later[:2]:
        assert call.begun.wait(SECONDS)
    ticks.pass_(10)
    calls[0].end()
    assert later[2].begun.wait(SECONDS)
    for call in (*calls, *later):
        call.end()
    found = {future.result(SECONDS) for future in (*futures, *waiting)}
    assert len(found) <= 4


def test_a_call_that_ends_keeps_the_others_waiting():
    ticks = Ticks()
    threads = Threads(1, 2, sleep=ticks)
    (first,), _ = held(threads, 1)
    second, third = Held(), Held()
    threads.submit(second)
    threads.submit(third)
    ticks.wait()
    # The watch has read how many calls had ended.
    first.end()
    assert second.begun.wait(SECONDS)
    ticks.pass_()
    ticks.wait()
    assert not third.begun.is_set()
    ticks.pass_()
    assert third.begun.wait(SECONDS)
    second.end()
    third.end()


def test_a_call_apart_leaves_its_place_to_others():
    threads = Threads(1, 2, sleep=lambda seconds: pytest.fail("nothing waits"))
    stream = Held()

    def follow():
        with threads.apart():
            return stream()

    following = threads.submit(follow)
    assert stream.begun.wait(SECONDS)
    assert threads.submit(int).result(SECONDS) == 0
    stream.end()
    following.result(SECONDS)


def test_threads_that_came_for_stuck_calls_end_with_them():
    ticks, before = Ticks(), set(threading.enumerate())
    threads = Threads(1, 8, sleep=ticks)
    (first,), _ = held(threads, 1)
    later = [Held() for _ in range(5)]
    waiting = [threads.submit(call) for call in later]
    ticks.pass_()
    for call in later:
        assert call.begun.wait(SECONDS)
    for call in (first, *later):
        call.end()
    for future in waiting:
        future.result(SECONDS)
    for thread in set(threading.enumerate()) - before:
        if thread.name == "grpc" and thread.ident != threads.submit(
            threading.get_ident
        ).result(SECONDS):
            thread.join(SECONDS)
            assert not thread.is_alive()
