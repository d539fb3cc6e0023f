"""One run for several requests, with the batches that the model was given."""

import numpy as np
import pytest

from runtime.errors import BackendError, Expired
from runtime.models.joint_run import Waiting, kind_of, run_all
from runtime.telemetry.journey import Deadline, clock


def waiting(*numbers, deadline=None):
    inputs = {"x": np.array(numbers, np.float32)}
    return Waiting(inputs, len(numbers), kind_of(inputs), deadline)


@pytest.mark.parametrize(
    "other",
    [
        {"a": np.zeros((1, 3), np.float32), "b": np.zeros((1, 2), np.int64)},
        {"a": np.zeros((1, 2), np.float64), "b": np.zeros((1, 2), np.int64)},
        {"a": np.zeros((1, 2), np.float32), "b": np.zeros((1, 2), np.int32)},
        {"c": np.zeros((1, 2), np.float32), "b": np.zeros((1, 2), np.int64)},
    ],
)
def test_the_name_dtype_and_shape_of_every_input_make_the_kind(other):
    one = {"a": np.zeros((1, 2), np.float32), "b": np.zeros((1, 2), np.int64)}
    more = {"a": np.zeros((5, 2), np.float32), "b": np.zeros((5, 2), np.int64)}
    assert kind_of(one) == kind_of(more)
    assert kind_of(one) != kind_of(other)


def test_a_request_that_is_run_again_alone_has_a_size_that_was_warmed():
    seen = []

    def run(inputs):
        seen.append(inputs["x"].tolist())
        if (inputs["x"] < 0).any():
            raise BackendError("below 0")
        return {"y": inputs["x"] * 2}

    good, bad = waiting(1.0), waiting(-1.0)
    run_all(run, [good, bad], sizes=(2, 4))
    assert seen == [[1, -1], [1, 1], [-1, -1]]
    assert good.answer()["y"].tolist() == [2]
    with pytest.raises(BackendError, match="below 0"):
        bad.answer()


def test_only_requests_whose_time_is_over_or_whose_client_left_are_not_run():
    seen, left = [], Deadline()
    left.is_gone = True

    def run(inputs):
        seen.append(inputs["x"].tolist())
        return {"y": inputs["x"]}

    deadlines = [None, Deadline(), Deadline(clock() + 3600), Deadline(0.0), left]
    batch = [waiting(float(n), deadline=one) for n, one in enumerate(deadlines)]
    run_all(run, batch)
    assert seen == [[0, 1, 2]]
    assert [one.answer()["y"].tolist() for one in batch[:3]] == [[0], [1], [2]]
    for one, why in zip(batch[3:], ("time was over", "has left"), strict=True):
        with pytest.raises(Expired, match=why):
            one.answer()


def test_a_batch_that_nobody_waits_for_is_not_run():
    run_all(None, [waiting(1.0, deadline=Deadline(0.0))])
