"""Chunks are shared out among processes or threads, and answered in their order."""

import os
import threading

import pytest

from runtime.admin.errors import WorkFailed
from runtime.scoring.chunks import Chunk, Files
from runtime.scoring.crew import Order, in_processes, in_threads
from runtime.scoring.forms import CsvForm
from runtime.scoring.work import Written
from tests.runtime.scoring.makers import LINEAR, Dying, Hanging

CHUNKS = [Chunk([str(n)], Files([])) for n in range(20)]


def answered(chunk):
    return Written(b"", chunk.items[0].encode(), 1, [])


def rows(answer, chunks=CHUNKS):
    return [int(written.rows) for written in answer(chunks)]


def test_threads_answer_at_once_and_in_order():
    # Each waits until another one is there.
    both = threading.Barrier(2)

    def work(chunk):
        both.wait(60)
        return answered(chunk)

    with in_threads(work, 2) as answer:
        assert rows(answer) == [*range(20)]


def test_a_failure_does_not_wait_for_a_server_that_is_gone():
    there, waits = threading.Event(), threading.Event()
    ended = []

    def work(chunk):
        if chunk.items[0] == "0":
            waits.wait(60)
            raise WorkFailed("no room")
        waits.set()
        ended.append(there.wait(10))
        return answered(chunk)

    with pytest.raises(WorkFailed, match="no room"), in_threads(work, 2) as answer:
        rows(answer)
    assert not ended
    there.set()


def test_the_input_is_read_as_fast_as_it_is_answered():
    read = []

    def chunks():
        for number, chunk in enumerate(CHUNKS):
            read.append(number)
            yield chunk

    with in_threads(answered, 2) as answer:
        answers = answer(chunks())
        for done in range(14):
            next(answers)
            assert len(read) <= done + 2 * 3


@pytest.mark.parametrize(("count", "left"), [(1, 1000), (2, 20)])
def test_little_work_starts_no_process(count, left):
    clock = iter([0.0, 0.1]).__next__
    order = Order(Dying(), LINEAR, CsvForm(), ())
    with in_processes(answered, order, count, left, clock) as answer:
        assert rows(answer) == [*range(20)]


@pytest.mark.slow
def test_a_process_that_is_killed_is_told():
    clock = iter([0.0, 60.0]).__next__
    order = Order(Dying(), LINEAR, CsvForm(), ())
    with (
        pytest.raises(WorkFailed, match="a process of the command was killed"),
        in_processes(answered, order, 2, 20, clock) as answer,
    ):
        rows(answer)


@pytest.mark.slow
def test_a_failure_does_not_wait_for_processes(tmp_path):
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    clock = iter([0.0, 60.0]).__next__
    order = Order(Hanging(begun), LINEAR, CsvForm(), ())
    chunks = iter(CHUNKS)

    def interrupted():
        yield from (next(chunks), next(chunks))
        assert begun.read_text() == "begun"
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        in_processes(answered, order, 2, 20, clock) as answer,
    ):
        rows(answer, interrupted())
