"""The tests send signals to their own process, and check which calls they cause."""

import os
import signal
import threading

import pytest

from runtime.server.signals import hear, held_back

# This is long enough for a busy machine; a test that passes never waits so long.
PATIENCE = 30


@pytest.fixture(autouse=True)
def as_before():
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
    handlers = [(number, signal.getsignal(number)) for number in numbers]
    wakeup = signal.set_wakeup_fd(-1)
    yield
    for number, handler in handlers:
        signal.signal(number, handler)
    pipe = signal.set_wakeup_fd(wakeup)
    if pipe >= 0:
        os.close(pipe)  # this ends the thread that listens


def test_each_signal_that_comes_is_heard_in_a_thread_of_its_own():
    heard, threads = threading.Semaphore(0), []

    def call():
        threads.append(threading.current_thread())
        heard.release()

    hear({signal.SIGUSR1: call, signal.SIGUSR2: call})
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        os.kill(os.getpid(), number)
        assert heard.acquire(timeout=PATIENCE)
    assert len(threads) == 3
    assert threading.main_thread() not in threads


def test_signals_wait_while_they_are_held_back():
    came = []
    signal.signal(signal.SIGUSR1, lambda *_: came.append(True))
    with held_back((signal.SIGUSR1,)):
        # Another thread of the test's process does not hold the signal back.
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        assert came == []
        assert signal.SIGUSR1 in signal.sigpending()
    assert came == [True]


def test_what_was_held_back_before_stays_so():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR2,))
    try:
        with held_back((signal.SIGUSR1, signal.SIGUSR2)):
            pass
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {
            *before,
            signal.SIGUSR2,
        }
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
