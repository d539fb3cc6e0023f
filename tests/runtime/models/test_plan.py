"""A quick model that gains by turns has a plan; the engine here has a clock by hand."""

import numpy as np
import pytest

from bundle.folder import open_bundle
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.models.joint_run import kind_of
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend

FLOAT = np.dtype(np.float32)
ROWS = TensorSpec("rows", FLOAT, (None, 2))


class Timed(FakeBackend):
    """A backend of its own clock: 20 us for a run, and some for each item."""

    def __init__(self, *inputs, item=35e-6):
        super().__init__(inputs=inputs)
        self.now, self._item = 0.0, item

    def run(self, inputs):
        items = len(next(iter(inputs.values())))
        self.now += 20e-6 + self._item * items
        return {"scores": np.zeros((items, 3), np.float32)}


@pytest.fixture
def plan_of(tmp_path):
    def plan_of(backend, **options):
        params = {"img_channels": 0, "labels": ""}
        bundle = open_bundle(write_bundle(tmp_path / "linear", params=params))
        options = BackendOptions(**{"batching": "auto", "threads": 4, **options})
        model = Model(
            bundle,
            1,
            Opened(backend),
            None,
            max_batch_size=options.max_batch_size,
            options=options,
            clock=lambda: backend.now,
        )
        return model.plan

    return plan_of


def test_a_plan_knows_what_is_the_same_in_each_request(plan_of):
    plan = plan_of(Timed(ROWS))
    assert (plan.name, plan.shape, plan.dtype, plan.output) == (
        *("rows", (2,), FLOAT, "scores"),
    )
    assert plan.kind == kind_of({"rows": np.zeros((7, 2), np.float32)})


def test_a_plan_takes_as_many_items_as_are_quick(plan_of):
    def most(**options):
        plan = plan_of(Timed(ROWS), **options)
        return next(n for n in range(99, 0, -1) if plan.takes(np.ones((n, 2), "f4")))

    assert most() == 18, "one takes 55 us, and a millisecond is quick"
    assert most(max_batch_size=16) == 16


@pytest.mark.parametrize(
    "items",
    [np.ones((1, 3), "f4"), np.ones((1, 2), "f8"), np.ones((0, 2), "f4"), np.ones(2)],
    ids=["another shape", "another dtype", "no items", "no batch"],
)
def test_a_plan_takes_no_other_items(plan_of, items):
    assert not plan_of(Timed(ROWS)).takes(items)


@pytest.mark.parametrize(
    "inputs",
    [
        (TensorSpec("rows", FLOAT, (4, 2)),),
        (TensorSpec("rows", FLOAT, (None, None)),),
        (ROWS, TensorSpec("more", FLOAT, (None, 2))),
    ],
    ids=["a fixed batch", "a free side", "two inputs"],
)
def test_an_unusual_model_has_no_plan(plan_of, inputs):
    assert plan_of(Timed(*inputs)) is None


@pytest.mark.parametrize(
    ("item", "options"),
    [(2e-3, {}), (35e-6, {"batching": "off"}), (35e-6, {"max_batch_size": 1})],
    ids=["slow", "batching off", "no batches"],
)
def test_a_model_whose_requests_are_run_alone_has_no_plan(plan_of, item, options):
    assert plan_of(Timed(ROWS, item=item), **options) is None
