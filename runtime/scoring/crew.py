"""The crew: the processes or threads among which the chunks are shared out."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias

from runtime.admin.errors import WorkFailed
from runtime.scoring.chunks import Chunk
from runtime.scoring.facts import Facts
from runtime.scoring.forms import Form
from runtime.scoring.local import LocalModel
from runtime.scoring.work import Work, Written

# So many chunks wait for each member: one is answered, one is sent, and one is ready.
_WAITING = 3
# The start of processes takes about so long; they load the engine and the model.
_START_SECONDS = 2.0

Answer: TypeAlias = Callable[[Iterable[Chunk]], Iterator[Written]]


class Worker(Protocol):
    """A function that answers a chunk."""

    def __call__(self, chunk: Chunk) -> Written:
        """Answer a chunk; see ``Work``."""


@dataclass(frozen=True)
class Order:
    """All that a process needs for its work.

    Attributes:
        model: the model that it opens.
        facts: the facts about it.
        form: the form of the output.
        kept: the names of the columns that are kept.
    """

    model: LocalModel
    facts: Facts
    form: Form
    kept: tuple[str, ...]


@contextmanager
def in_processes(
    work: Worker,
    order: Order,
    count: int,
    left: int,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Answer]:
    """Answer chunks in so many processes, each with its own copy of the model.

    The first chunk is answered here, and tells whether the others are worth the start
    of processes. The processes end with this one, also if it is killed.

    Args:
        work: the work of this process.
        order: the work of the others.
        count: the number of processes.
        left: the number of chunks.
        clock: a clock in seconds that never goes back.

    Raises:
        WorkFailed: a process was killed.
    """
    with ExitStack() as stack:

        def answer(chunks: Iterable[Chunk]) -> Iterator[Written]:
            others = iter(chunks)
            took = 0.0
            for chunk in itertools.islice(others, 1):
                begun = clock()
                written = work(chunk)
                took = clock() - begun
                yield written
            if count < 2 or took * (left - 1) < _START_SECONDS:
                yield from map(work, others)
                return
            pool = stack.enter_context(_processes(order, count))
            yield from _shared(lambda c: pool.submit(_answer, c), others, count)

        try:
            yield answer
        except BrokenProcessPool as ex:
            raise WorkFailed(
                "a process of the command was killed; if the memory was full, take"
                " fewer --workers or a smaller --batch"
            ) from ex


@contextmanager
def _processes(order: Order, count: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of processes that end with the block, at once if it fails."""
    # Threads of an engine do not live on in a fork.
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    with reader, writer:
        pool = ProcessPoolExecutor(count, context, _begin, (order, reader))
        try:
            yield pool
        except BaseException:
            # A chunk of large pictures takes a minute, and nobody waits for it.
            writer.close()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def in_threads(work: Worker, count: int) -> Iterator[Answer]:
    """Answer chunks in so many threads, which wait for a server.

    If the block fails, nobody waits for the threads: each may wait some minutes for a
    server that is gone, and Ctrl-C must end the command at once.
    """
    tasks: SimpleQueue[tuple[Future[Written], Chunk] | None] = SimpleQueue()

    def answer_all() -> None:
        while (task := tasks.get()) is not None:
            future, chunk = task
            try:
                future.set_result(work(chunk))
            except BaseException as ex:
                future.set_exception(ex)

    def submit(chunk: Chunk) -> Future[Written]:
        future: Future[Written] = Future()
        tasks.put((future, chunk))
        return future

    # ThreadPoolExecutor's threads are no daemons: Python itself waits for their end.
    for _ in range(count):
        threading.Thread(target=answer_all, daemon=True).start()
    try:
        yield lambda chunks: _shared(submit, chunks, count)
    finally:
        with suppress(Empty):
            while True:
                tasks.get_nowait()
        for _ in range(count):
            tasks.put(None)


def _shared(
    submit: Callable[[Chunk], Future[Written]], chunks: Iterable[Chunk], count: int
) -> Iterator[Written]:
    """Give the outcomes in the order of the chunks, a few of which are on their way."""
    waiting: deque[Future[Written]] = deque()
    for chunk in chunks:
        waiting.append(submit(chunk))
        if len(waiting) >= count * _WAITING:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


# The work of this process. It is opened for the first chunk, so that an error of the
# model is that chunk's error.
_order: Order | None = None
_work: Work | None = None


def _begin(order: Order, parent: Connection) -> None:
    """Prepare a process of the crew."""
    global _order
    _order = order
    # Ctrl-C goes to all processes of a terminal. The parent ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    """End this process when the pipe's other end is closed, or its process ended."""
    parent.poll(None)
    os._exit(1)


def _answer(chunk: Chunk) -> Written:
    global _work
    if _work is None:
        assert _order is not None, "the process was prepared"
        engine = _order.model.open()
        _work = Work(engine, _order.facts, _order.form, _order.kept)
    return _work(chunk)
