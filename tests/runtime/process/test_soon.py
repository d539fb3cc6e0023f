"""Work that is wanted by many is done once, in a thread of its own."""

import threading

from runtime.process.soon import Soon

PATIENCE = 30


class Work:
    """Work that waits for a test's leave, and keeps the names of its threads."""

    def __init__(self):
        self.threads = []
        self.begins = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)

    def __call__(self):
        self.threads.append(threading.current_thread().name)
        self.begins.release()
        assert self.leave.acquire(timeout=PATIENCE)


def test_many_wishes_are_one_piece_of_work():
    work = Work()
    soon = Soon(work, 0.05, "worker")
    assert not soon.is_due
    for _ in range(3):
        soon.want()
    assert soon.is_due
    assert work.begins.acquire(timeout=PATIENCE)
    assert not soon.is_due
    work.leave.release()
    assert work.threads == ["worker"]


def test_a_wish_while_the_work_is_done_brings_it_again():
    work = Work()
    soon = Soon(work, 0.0, "worker")
    soon.want()
    assert work.begins.acquire(timeout=PATIENCE)
    soon.want()
    assert soon.is_due
    work.leave.release()
    assert work.begins.acquire(timeout=PATIENCE)
    work.leave.release()
    assert work.threads == ["worker"] * 2


def test_nothing_is_done_before_somebody_wants_it():
    work = Work()
    soon = Soon(work, 0.0, "idle worker")
    assert "idle worker" not in {thread.name for thread in threading.enumerate()}
    assert not soon.is_due
    assert work.threads == []
