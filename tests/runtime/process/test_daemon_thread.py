"""The thread starts when it is needed, and again in a process that was forked."""

import subprocess
import sys
import threading

import pytest

from runtime.process.daemon_thread import DaemonThread

PATIENCE = 30

# A new Python runs this, because a fork of the tests' process would copy its locks.
FORKS = """
import os, threading, warnings
from runtime.process.daemon_thread import DaemonThread

# Python warns of each fork beside a thread, which is what is tried here.
warnings.simplefilter("ignore", DeprecationWarning)
wanted, done = threading.Event(), threading.Event()

def work():
    while True:
        wanted.wait()
        wanted.clear()
        done.set()

def asks():
    done.clear()
    thread.start()
    wanted.set()
    return done.wait(30)

thread = DaemonThread(work, "worker")
assert asks()
pid = os.fork()
if pid == 0:
    names = [t.name for t in threading.enumerate()]
    is_known = thread.was_started
    is_answered = asks()
    print(names, is_known, is_answered, flush=True)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
print(asks(), threading.active_count())
"""


@pytest.fixture
def go():
    """Give an event; at the end, it lets the threads that wait for it end."""
    event = threading.Event()
    yield event
    event.set()


def test_nothing_runs_before_the_start():
    before = threading.active_count()
    thread = DaemonThread(lambda: None, "worker")
    assert not thread.was_started
    assert threading.active_count() == before
    assert thread.join(0)


def test_it_has_a_name_and_keeps_no_process_from_ending(go):
    found = []

    def work():
        found.append(threading.current_thread())
        go.wait(PATIENCE)

    thread = DaemonThread(work, "worker")
    thread.start()
    assert thread.was_started
    assert not thread.join(0)
    go.set()
    assert thread.join(PATIENCE)
    assert [(t.name, t.daemon) for t in found] == [("worker", True)]


def test_however_many_start_it_at_once_one_runs(go):
    runs = []
    together = threading.Barrier(8)

    def work():
        runs.append(threading.current_thread())
        go.wait(PATIENCE)

    thread = DaemonThread(work, "worker")

    def start():
        together.wait(PATIENCE)
        thread.start()

    starters = [threading.Thread(target=start) for _ in range(8)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(PATIENCE)
    go.set()
    assert thread.join(PATIENCE)
    assert len(runs) == 1


def test_one_that_has_ended_is_started_again():
    runs = []
    thread = DaemonThread(lambda: runs.append(1), "worker")
    for _ in range(2):
        thread.start()
        assert thread.join(PATIENCE)
    assert runs == [1, 1]


@pytest.mark.slow
def test_a_forked_process_starts_its_own():
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    # The child begins with the main thread alone, but its work is done all the same.
    # The parent's thread goes on beside the parent's main thread.
    assert done.stdout.splitlines() == ["['MainThread'] True True", "True 2"]
