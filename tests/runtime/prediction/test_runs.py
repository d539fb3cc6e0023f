"""A request's items become runs of a model, and the answers come back in order."""

import numpy as np
import pytest

from bundle.errors import ShapeError
from bundle.folder import open_bundle
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError, Expired, InvalidInput
from runtime.models.joint_run import kind_of
from runtime.models.model import Model
from runtime.models.plan import Plan
from runtime.models.turn import Turn
from runtime.prediction.runs import one_run, run_items, run_model, run_named
from runtime.telemetry.journey import Deadline, Journey
from tests.examples import write_bundle
from tests.runtime.fakes import FailingBackend, FakeBackend
from tests.runtime.hubs import Hub, run_in_lane

FLOAT = np.dtype(np.float32)
ROWS = TensorSpec("rows", FLOAT, (None, 2))
FOUR = TensorSpec("rows", FLOAT, (4, 2))


class SumBackend(FakeBackend):
    """A backend that answers each row with its sum."""

    def __init__(self, spec=ROWS):
        sums = TensorSpec("sums", FLOAT, (spec.shape[0], 1))
        super().__init__(inputs=(spec,), outputs=(sums,))

    def run(self, inputs):
        self.batches.append(inputs)
        return {"sums": inputs["rows"].sum(axis=1, keepdims=True)}


class ScalarBackend(SumBackend):
    """A backend that answers a whole batch with one number, such as a mean."""

    def run(self, inputs):
        return {"sums": super().run(inputs)["sums"].sum()}


class LongBackend(SumBackend):
    """A backend that answers each row twice."""

    def run(self, inputs):
        return {"sums": np.repeat(super().run(inputs)["sums"], 2, axis=0)}


@pytest.fixture
def opened(tmp_path):
    def opened(backend, fallback=None):
        params = {"img_channels": 0, "labels": ""}
        bundle = open_bundle(write_bundle(tmp_path / "linear", params=params))
        return Model(bundle, 1, Opened(backend), fallback and (lambda: fallback))

    return opened


def rows(count):
    """Return ``(count, 2)`` float32: the n-th row sums up to 10 n + 1, n from 0."""
    return np.array([[10 * n, 1] for n in range(count)], np.float32)


def given(backend):
    """Return the first number of each row of each run."""
    return [batch["rows"][:, 0].tolist() for batch in backend.batches]


def test_items_of_a_free_batch_are_one_run(opened):
    backend = SumBackend()
    answer = run_items(opened(backend), rows(5), Journey())
    assert answer.tolist() == [[1], [11], [21], [31], [41]]
    assert given(backend) == [[0, 10, 20, 30, 40]]


def test_a_fixed_batch_is_filled_up_with_its_last_item(opened):
    backend = SumBackend(FOUR)
    answer = run_items(opened(backend), rows(3), Journey())
    assert answer.tolist() == [[1], [11], [21]], "nobody asked for the fourth"
    assert given(backend) == [[0, 10, 20, 20]]


def test_more_items_than_a_fixed_batch_holds_are_several_runs(opened):
    backend = SumBackend(FOUR)
    answer = run_items(opened(backend), rows(9), Journey())
    assert answer.tolist() == [[10 * n + 1] for n in range(9)]
    assert given(backend) == [[0, 10, 20, 30], [40, 50, 60, 70], [80, 80, 80, 80]]


def test_a_full_fixed_batch_is_not_copied(opened):
    items = rows(4)
    assert one_run(opened(SumBackend(FOUR)), items)["rows"] is items


def test_one_run_takes_no_more_items_than_its_batch(opened):
    with pytest.raises(ShapeError, match="takes 4 items, not 5"):
        one_run(opened(SumBackend(FOUR)), rows(5))


@pytest.mark.parametrize(
    ("backend", "shape"), [(ScalarBackend(), r"\(\)"), (LongBackend(), r"\(4, 1\)")]
)
def test_an_answer_of_another_number_of_rows_is_told(opened, backend, shape):
    sentence = f"'sums' has no batch axis: 2 items were answered with the shape {shape}"
    with pytest.raises(InvalidInput, match=sentence):
        run_items(opened(backend), rows(2), Journey())


def test_the_journey_hears_which_engine_stood_in(opened):
    usual, broken = Journey(backend="usual/cpu"), Journey(backend="usual/cpu")
    run_model(opened(SumBackend()), {"rows": rows(1)}, usual)
    assert usual.backend == "usual/cpu", "the one that the request was given to"
    failing = FailingBackend(inputs=(ROWS,))
    fallback = FakeBackend(row=(7, 7, 7), name="other", inputs=(ROWS,))
    outputs = run_model(opened(failing, fallback), {"rows": rows(1)}, broken)
    assert outputs["scores"].tolist() == [[7, 7, 7]]
    assert broken.backend == "other/cpu"


def test_what_no_engine_answers_is_an_error_and_its_time_counts(opened):
    journey = Journey()
    with pytest.raises(BackendError, match="it broke"):
        run_items(opened(FailingBackend(inputs=(ROWS,))), rows(1), journey)
    assert [stage for stage, _, _ in journey.laps] == ["infer"]


def test_time_in_the_engine_is_the_infer_stage(opened):
    journey = Journey()
    run_items(opened(SumBackend(FOUR)), rows(9), journey)
    assert [stage for stage, _, _ in journey.laps] == ["infer"] * 3


def test_nobody_runs_what_comes_too_late(opened):
    backend = SumBackend()
    with pytest.raises(Expired, match="time was over"):
        run_items(opened(backend), rows(1), Journey(deadline=Deadline(0.0)))
    assert backend.batches == []


def test_a_model_of_unknown_speed_leaves_the_quick_lane_before_it_runs(opened):
    backend = SumBackend()
    model, journey = opened(backend), Journey(model="linear", items=1)
    answer, handed_over = run_in_lane(lambda: run_items(model, rows(1), journey))
    assert (answer.tolist(), handed_over) == ([[1]], ["linear"])
    model.seconds = 1e-6
    answer, handed_over = run_in_lane(lambda: run_items(model, rows(1), journey))
    assert (answer.tolist(), handed_over) == ([[1]], [])


# -- with a plan ----------------------------------------------------------------------


def planned(model):
    """Give a model the plan of a quick one."""
    turn = Turn(model.run_once, 32, 1e-6)
    kind = kind_of({"rows": rows(1)})
    model.plan = Plan(turn, 32, "rows", (2,), FLOAT, kind, model.output.name)
    return model


def test_items_of_one_turn_are_one_run_by_the_plan(opened):
    backend, hub, answers = SumBackend(), Hub(), []
    model, journey = planned(opened(backend)), Journey()
    for count in (1, 3):
        hub.begin(lambda n=count: answers.append(run_items(model, rows(n), journey)))
    assert answers == []
    hub.turn()
    assert [answer.tolist() for answer in answers] == [[[1]], [[1], [11], [21]]]
    assert given(backend) == [[0, 0, 10, 20]]
    assert [stage for stage, _, _ in journey.laps] == ["infer"] * 2


def test_another_engine_stands_in_for_the_plan(opened):
    failing = FailingBackend(inputs=(ROWS,))
    fallback = FakeBackend(row=(7, 7, 7), name="other", inputs=(ROWS,))
    model, journey = planned(opened(failing, fallback)), Journey(backend="usual/cpu")
    answer, handed_over = run_in_lane(lambda: run_items(model, rows(2), journey))
    assert answer.tolist() == [[7, 7, 7]] * 2
    assert handed_over == ["linear"], "TensorFlow may take long"
    assert journey.backend == "other/cpu"
    assert [stage for stage, _, _ in journey.laps] == ["infer"]


def test_what_no_engine_answers_is_an_error_of_the_plan_too(opened):
    model = planned(opened(FailingBackend(inputs=(ROWS,))))
    with pytest.raises(BackendError, match="it broke"):
        run_in_lane(lambda: run_items(model, rows(1), Journey()))


def test_an_answer_of_another_number_of_rows_is_told_with_a_plan(opened):
    model = planned(opened(LongBackend()))
    with pytest.raises(InvalidInput, match="'sums' has no batch axis: 2 items"):
        run_in_lane(lambda: run_items(model, rows(2), Journey()))


def test_where_there_is_no_front_the_plan_is_not_used(opened):
    model = planned(opened(SumBackend()))
    model.plan.turn.submit = None
    assert run_items(model, rows(1), Journey()).tolist() == [[1]]


# -- several inputs -------------------------------------------------------------------


class PairBackend(FakeBackend):
    """A backend that answers each item with the sum of its two numbers."""

    def __init__(self, batch=None):
        takes = tuple(TensorSpec(name, FLOAT, (batch, 1)) for name in "ab")
        sums = TensorSpec("sums", FLOAT, (batch, 1))
        super().__init__(inputs=takes, outputs=(sums,))

    def run(self, inputs):
        self.batches.append(inputs)
        return {"sums": inputs["a"] + inputs["b"]}


def columns(count):
    numbers = np.arange(count, dtype=np.float32)[:, np.newaxis]
    return {"a": numbers, "b": 10 * numbers}


def test_items_of_several_inputs_are_one_run(opened):
    backend, journey = PairBackend(), Journey()
    output = run_named(opened(backend), columns(3), journey)
    assert output.tolist() == [[0], [11], [22]]
    assert (len(backend.batches), journey.items) == (1, 3)


def test_items_of_several_inputs_fill_a_fixed_batch(opened):
    backend = PairBackend(batch=2)
    output = run_named(opened(backend), columns(5), Journey())
    assert output.tolist() == [[0], [11], [22], [33], [44]]
    assert [batch["b"].tolist() for batch in backend.batches] == [
        [[0], [10]],
        [[20], [30]],
        [[40], [40]],
    ]
