"""The engine here is a function that doubles, so each caller knows its own rows."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bundle.errors import ShapeError
from runtime.errors import Expired, Overloaded
from runtime.models.batcher import Batcher
from runtime.telemetry.journey import Deadline

PATIENCE = 30


class Engine:
    """An engine that doubles; it holds its first run, so that other requests queue."""

    def __init__(self, held=True):
        self.sizes = []
        self.began, self.go_on = threading.Event(), threading.Event()
        if not held:
            self.go_on.set()

    def __call__(self, inputs):
        self.sizes.append(len(inputs["x"]))
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        return {"y": inputs["x"] * 2}


def rows(*numbers):
    return {"x": np.array(numbers, np.float32)[:, np.newaxis]}


@pytest.fixture
def pool():
    with ThreadPoolExecutor(64) as pool:
        yield pool


def submitted(pool, batcher, engine, requests):
    """Submit one request, and during its run the others, one after the other."""
    first, *others = requests
    futures = [pool.submit(batcher.submit, first)]
    assert engine.began.wait(PATIENCE)
    for number, other in enumerate(others, start=1):
        futures.append(pool.submit(batcher.submit, other))
        while len(batcher._queue) < number:
            pass
    return futures


def answers(futures):
    return [future.result(PATIENCE)["y"].ravel().tolist() for future in futures]


def test_what_queued_meanwhile_is_the_next_batch(pool):
    batcher = Batcher(engine := Engine(), 32)
    requests = [rows(n, n + 0.5) if n % 2 else rows(n) for n in range(9)]
    futures = submitted(pool, batcher, engine, requests)
    engine.go_on.set()
    assert answers(futures) == [(r["x"] * 2).ravel().tolist() for r in requests]
    assert engine.sizes == [1, 12]


def test_alone_it_runs_at_once(pool):
    batcher = Batcher(engine := Engine(held=False), 32)
    for number in range(3):
        assert batcher.submit(rows(number))["y"].tolist() == [[2 * number]]
    assert engine.sizes == [1, 1, 1]


def test_batches_are_no_larger_than_they_may_be(pool):
    batcher = Batcher(engine := Engine(), 4)
    futures = submitted(pool, batcher, engine, [rows(n) for n in range(10)])
    engine.go_on.set()
    assert answers(futures) == [[2.0 * n] for n in range(10)]
    assert engine.sizes == [1, 4, 4, 1]


def test_a_request_larger_than_a_batch_runs_alone(pool):
    batcher = Batcher(engine := Engine(), 4)
    futures = submitted(pool, batcher, engine, [rows(0), rows(*range(6)), rows(1)])
    engine.go_on.set()
    assert answers(futures) == [[0], [0, 2, 4, 6, 8, 10], [2]]
    assert engine.sizes == [1, 6, 1]


def test_what_does_not_fit_together_is_run_apart(pool):
    batcher = Batcher(engine := Engine(), 32)
    wide = {"x": np.ones((1, 3), np.float32)}
    whole = {"x": np.ones((1, 1), np.int64)}
    futures = submitted(pool, batcher, engine, [rows(1), wide, rows(2), whole, rows(3)])
    engine.go_on.set()
    assert answers(futures) == [[2], [2, 2, 2], [4], [2], [6]]
    assert sorted(engine.sizes) == [1, 1, 1, 2]


def test_sizes_between_those_that_were_warmed_are_filled_up(pool):
    batcher = Batcher(engine := Engine(), 8, sizes=(1, 2, 4, 8))
    futures = submitted(pool, batcher, engine, [rows(n) for n in range(4)])
    engine.go_on.set()
    assert answers(futures) == [[0], [2], [4], [6]]
    assert engine.sizes == [1, 4]


def test_ones_bad_items_do_not_fail_the_others(pool):
    engine = Engine()

    def run(inputs):
        if (inputs["x"] < 0).any():
            raise ShapeError("a negative one")
        return engine(inputs)

    batcher = Batcher(run, 32)
    futures = submitted(pool, batcher, engine, [rows(0), rows(1), rows(-1), rows(2)])
    engine.go_on.set()
    with pytest.raises(ShapeError, match="a negative one"):
        futures.pop(2).result(PATIENCE)
    assert answers(futures) == [[0], [2], [4]]


def test_after_an_error_it_goes_on(pool):
    batcher = Batcher(lambda inputs: {"y": 2 / inputs["missing"]}, 32)
    for _ in range(2):
        with pytest.raises(KeyError):
            batcher.submit(rows(1))


def test_who_comes_to_a_full_queue_is_told_so(pool):
    batcher = Batcher(engine := Engine(), 32, max_queue=2)
    futures = submitted(pool, batcher, engine, [rows(0), rows(1), rows(2)])
    with pytest.raises(Overloaded, match="2 requests wait"):
        batcher.submit(rows(3))
    engine.go_on.set()
    assert answers(futures) == [[0], [2], [4]]
    assert answers([pool.submit(batcher.submit, rows(4))]) == [[8]]


def test_a_delay_waits_for_a_full_batch_and_no_longer(pool):
    """The delay is a minute, so only the full batch can end it within the patience."""
    batcher = Batcher(engine := Engine(held=False), 3, max_queue_delay_us=60_000_000)
    futures = [pool.submit(batcher.submit, rows(n)) for n in range(3)]
    assert sorted(answers(futures)) == [[0], [2], [4]]
    assert engine.sizes == [3]


def test_a_delay_ends_by_itself():
    batcher = Batcher(engine := Engine(held=False), 3, max_queue_delay_us=1000)
    assert batcher.submit(rows(1))["y"].tolist() == [[2]]
    assert engine.sizes == [1]


def test_under_load_each_gets_its_own(pool):
    batcher = Batcher(Engine(held=False), 8)

    def ask(number):
        numbers = range(number, number + number % 5 + 1)
        for _ in range(50):
            answer = batcher.submit(rows(*numbers))["y"].ravel()
            assert answer.tolist() == [2 * n for n in numbers]

    for future in [pool.submit(ask, number) for number in range(32)]:
        future.result(PATIENCE)


def test_one_whose_client_leaves_while_it_waits_is_not_run(pool):
    batcher, left = Batcher(engine := Engine(), 32), Deadline()
    (first,) = submitted(pool, batcher, engine, [rows(1)])
    second = pool.submit(batcher.submit, rows(2), left)
    while not batcher._queue:
        pass
    left.is_gone = True
    engine.go_on.set()
    assert answers([first]) == [[2]]
    with pytest.raises(Expired, match="client has left"):
        second.result(PATIENCE)
    assert engine.sizes == [1]


def kept(seen):
    """Return an engine that answers at once, and keeps its inputs."""

    def run(inputs):
        seen.append({name: array.copy() for name, array in inputs.items()})
        return {"y": inputs["x"] * 2, "z": inputs["x"] + 1}

    return run


def test_a_batch_is_filled_up_with_its_last_item():
    seen = []
    batcher = Batcher(kept(seen), 8, sizes=(1, 2, 4, 8))
    answer = batcher.submit(rows(1, 5, 7))
    assert seen[0]["x"].ravel().tolist() == [1, 5, 7, 7]
    assert answer["y"].ravel().tolist() == [2, 10, 14]
    assert answer["z"].ravel().tolist() == [2, 6, 8]


@pytest.mark.parametrize(
    ("items", "size"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 9)]
)
def test_the_next_size_that_was_warmed_is_taken(items, size):
    seen = []
    batcher = Batcher(kept(seen), 16, sizes=(1, 2, 4, 8))
    answer = batcher.submit(rows(*range(items)))
    assert len(seen[0]["x"]) == size
    assert answer["y"].ravel().tolist() == [2 * n for n in range(items)]


def test_every_output_is_cut_for_each_who_asked(pool):
    engine = Engine()

    def run(inputs):
        return {**engine(inputs), "z": inputs["x"] + 1}

    batcher = Batcher(run, 32)
    futures = submitted(pool, batcher, engine, [rows(0), rows(1, 2), rows(3)])
    engine.go_on.set()
    answered = [future.result(PATIENCE)["z"].ravel().tolist() for future in futures]
    assert answered == [[1], [2, 3], [4]]


def test_an_answer_is_given_as_the_engine_gave_it_where_one_asks_alone():
    """A large answer is not copied."""
    given = {"y": np.zeros((1, 1), np.float32)}
    assert Batcher(lambda inputs: given, 32).submit(rows(1)) is given


def test_a_batch_is_filled_to_its_last_item(pool):
    batcher = Batcher(engine := Engine(), 4)
    requests = [rows(0), rows(1, 2), rows(3, 4), rows(5, 6, 7), rows(8)]
    futures = submitted(pool, batcher, engine, requests)
    engine.go_on.set()
    assert answers(futures) == [(r["x"] * 2).ravel().tolist() for r in requests]
    assert engine.sizes == [1, 4, 4]


def test_one_that_expired_is_left_out_of_its_batch(pool):
    batcher, left = Batcher(engine := Engine(), 32), Deadline()
    futures = submitted(pool, batcher, engine, [rows(1), rows(2)])
    second = pool.submit(batcher.submit, rows(3), left)
    while len(batcher._queue) < 2:
        pass
    third = pool.submit(batcher.submit, rows(4))
    while len(batcher._queue) < 3:
        pass
    left.is_gone = True
    engine.go_on.set()
    assert answers([*futures, third]) == [[2], [4], [8]]
    with pytest.raises(Expired):
        second.result(PATIENCE)
    assert engine.sizes == [1, 2]


def test_a_queue_holds_as_many_as_it_may(pool):
    batcher = Batcher(engine := Engine(), 32, max_queue=1)
    futures = submitted(pool, batcher, engine, [rows(0), rows(1)])
    with pytest.raises(Overloaded, match="1 requests wait"):
        batcher.submit(rows(2))
    engine.go_on.set()
    assert answers(futures) == [[0], [2]]


def test_items_of_another_name_are_another_kind(pool):
    seen, engine = [], Engine()

    def run(inputs):
        seen.append(sorted(inputs))
        return engine({"x": next(iter(inputs.values()))})

    batcher = Batcher(run, 32)
    other = {"w": np.ones((1, 1), np.float32)}
    futures = submitted(pool, batcher, engine, [rows(0), rows(1), other])
    engine.go_on.set()
    assert answers(futures) == [[0], [2], [2]]
    assert seen == [["x"], ["x"], ["w"]]


def test_items_are_given_as_they_came_where_one_asks_alone():
    """A large input is not copied."""
    seen = []

    def run(inputs):
        seen.append(inputs)
        return {"y": inputs["x"]}

    asked = rows(1)
    Batcher(run, 32).submit(asked)
    assert seen[0]["x"] is asked["x"]


def test_a_delay_of_less_than_a_second_is_waited_for_too(pool, monkeypatch):
    """The clock stands still, so that only a full batch can end the delay."""
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    batcher = Batcher(engine := Engine(held=False), 2, max_queue_delay_us=500_000)
    first = pool.submit(batcher.submit, rows(1))
    while not (batcher._queue or engine.sizes):
        pass
    assert answers([first, pool.submit(batcher.submit, rows(2))]) == [[2], [4]]
    assert engine.sizes == [2]
