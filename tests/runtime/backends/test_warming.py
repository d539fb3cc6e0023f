"""Some models in ONNX Runtime take few inputs, and refuse others as the engine does."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from bundle.folder import open_bundle
from runtime.backends import InputRefused, TensorSpec
from runtime.backends.onnx import open_onnx
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.backends.warming import warm_up
from runtime.errors import BackendError
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend
from tests.runtime.graphs import serialize

FLOAT, INT64 = np.dtype(np.float32), np.dtype(np.int64)


class Choosy(FakeBackend):
    """A backend that accepts an input if a function of it says so."""

    def __init__(self, takes, *specs, is_of_shapes=False):
        super().__init__(inputs=specs)
        self._takes, self._is_of_shapes = takes, is_of_shapes

    def run(self, inputs):
        if not self._takes(**inputs):
            raise InputRefused("no", is_of_shapes=self._is_of_shapes)
        rows = next(iter(inputs.values()))
        return {"scores": np.zeros((len(rows), 3), np.float32)}


def test_ranges_come_before_zeros():
    """The model divides, and cannot divide by 0."""
    specs = (TensorSpec("count", INT64, (None,)), TensorSpec("total", INT64, (None,)))
    asked = []

    def takes(count, total):
        asked.append((count.tolist(), total.tolist()))
        return (count > 0).all()

    warm = warm_up(Choosy(takes, *specs), {"count": (2, 9)})
    assert warm is not None
    assert asked == [([2], [0])]
    assert warm.make(2)["count"].tolist() == [2, 2]


def test_without_a_range_ones_are_tried_after_zeros():
    spec = TensorSpec("count", INT64, (None,))
    warm = warm_up(Choosy(lambda count: (count > 0).all(), spec))
    assert warm is not None
    assert warm.make(3)["count"].tolist() == [1, 1, 1]


def test_a_matrix_with_an_inverse_is_tried():
    spec = TensorSpec("m", FLOAT, (None, 3, 3))
    backend = Choosy(lambda m: (np.linalg.det(m) != 0).all(), spec)
    warm = warm_up(backend)
    assert warm is not None
    assert warm.make(1)["m"].tolist() == [np.eye(3).tolist()]


def test_a_length_is_found():
    spec = TensorSpec("row", FLOAT, (None, None))
    warm = warm_up(Choosy(lambda row: row.shape[1] == 3, spec, is_of_shapes=True))
    assert warm is not None
    assert warm.make(2)["row"].shape == (2, 3)


def test_known_inputs_come_first():
    spec = TensorSpec("pixels", FLOAT, (None, 1))
    white = {"pixels": np.full((1, 1), 255, np.float32)}
    warm = warm_up(Choosy(lambda pixels: True, spec), None, [lambda items: white])
    assert warm is not None
    assert warm.make(1) is white


@pytest.mark.parametrize("dtype", [INT64, np.dtype(object)])
def test_a_model_that_takes_nothing_is_not_warmed_and_is_no_error(dtype):
    spec = TensorSpec("what", dtype, (None,))
    assert warm_up(Choosy(lambda what: False, spec, is_of_shapes=True)) is None


def test_real_numbers_whose_shapes_never_meet_are_an_error():
    spec = TensorSpec("row", FLOAT, (None, 3))
    with pytest.raises(BackendError, match="no"):
        warm_up(Choosy(lambda row: False, spec, is_of_shapes=True))


def test_an_engine_that_cannot_run_a_model_is_an_error_at_once():
    class Lacking(FakeBackend):
        def run(self, inputs):
            self.batches.append(inputs)
            raise BackendError("no kernel")

    backend = Lacking(inputs=(TensorSpec("row", FLOAT, (None, None)),))
    with pytest.raises(BackendError, match="no kernel"):
        warm_up(backend)
    assert len(backend.batches) == 1


def choice(tmp_path):
    """Write a model that takes only 5 and 6: it subtracts 5, and has two rows."""
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["ids", "five"], ["at"]),
            helper.make_node("Gather", ["table", "at"], ["row"]),
            helper.make_node("Mul", ["at", "two"], ["far"]),
            helper.make_node("Gather", ["table", "far"], ["other"]),
            helper.make_node("Add", ["row", "other"], ["scores"]),
        ],
        "choice",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch"])],
        [
            helper.make_tensor("five", TensorProto.INT64, [], [5]),
            helper.make_tensor("two", TensorProto.INT64, [], [2]),
            helper.make_tensor("table", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]),
        ],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(serialize(graph))
    return path


def test_onnx_runtime_serves_what_it_was_not_warmed_with(tmp_path):
    """The rows are 1, 2, 3; the model answers 6 with the second and third: 2 + 3."""
    backend = open_onnx(choice(tmp_path), BackendOptions(provider="cpu"))
    assert warm_up(backend) is None
    assert backend.run({"ids": np.array([6])})["scores"].tolist() == [5.0]
    with pytest.raises(InputRefused):
        backend.run({"ids": np.array([9])})


def test_a_declared_range_warms_onnx_runtime(tmp_path):
    backend = open_onnx(choice(tmp_path), BackendOptions(provider="cpu"))
    warm = warm_up(backend, {"ids": (5, 6)})
    assert warm is not None
    assert warm.outputs["scores"].tolist() == [2.0]


def test_a_model_that_is_not_warmed_says_so_and_answers(tmp_path):
    path = write_bundle(
        tmp_path / "linear", labels=(), params={"img_channels": 0, "labels": ""}
    )
    spec = TensorSpec("what", INT64, (None,))
    backend = Choosy(lambda what: what[0] == 700, spec)
    options = BackendOptions(batching="auto", threads=8)
    model = Model(
        open_bundle(path), 1, Opened(backend), None, max_batch_size=4, options=options
    )
    assert model.warm_up.startswith("not warmed up: the model takes none")
    assert "'ranges' in params.json" in model.warm_up
    assert not model.is_quick(1)
    outputs, _ = model.run({"what": np.array([700])})
    assert outputs["scores"].shape == (1, 3)


def test_inputs_together_have_an_end():
    """The file has half a kilobyte, and each input alone is within a model's limit."""
    specs = [TensorSpec(f"x{n}", FLOAT, (None, 1 << 25)) for n in range(3)]
    backend = Choosy(lambda **inputs: True, *specs)
    with pytest.raises(BackendError, match="together hold more than 67108864 numbers"):
        warm_up(backend)
