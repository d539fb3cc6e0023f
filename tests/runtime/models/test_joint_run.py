"""One run for several requests, with the batches that the model was given."""

import numpy as np
import pytest

from runtime.errors import BackendError
from runtime.models.joint_run import Waiting, kind_of, run_all


def waiting(*numbers):
    inputs = {"x": np.array(numbers, np.float32)}
    return Waiting(inputs, len(numbers), kind_of(inputs), None)


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
