import numpy as np
import pytest

from bundle.errors import ShapeError
from bundle.folder import open_bundle
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.models.model import Model
from runtime.models.opening import model_of
from runtime.models.pieces import items_of
from tests.examples import write_bundle
from tests.runtime.models.counting import Counting, asked, counted


@pytest.fixture
def bundle(tmp_path):
    return open_bundle(write_bundle(tmp_path / "linear"))


def test_a_large_request_is_run_in_pieces_and_answered_in_order(bundle):
    model = Model(bundle, 1, Opened(Counting()), None, max_batch_size=4)
    assert asked(model, 4) == ([4], [0, 1, 2, 3])
    assert asked(model, 9) == ([4, 4, 1], list(range(9)))


def test_without_a_limit_a_request_is_run_whole(bundle):
    model = Model(bundle, 1, Opened(Counting()), None)
    assert asked(model, 9) == ([9], list(range(9)))


def test_huge_items_are_run_in_smaller_pieces(bundle):
    """An item has 4 numbers."""
    opened = Opened(Counting())
    model = Model(bundle, 1, opened, None, max_batch_size=4, max_numbers=11)
    assert asked(model, 5) == ([2, 2, 1], list(range(5)))


def test_a_request_of_a_wrong_shape_is_told_as_it_was_sent(bundle):
    model = Model(bundle, 1, Opened(Counting()), None, max_batch_size=4)
    with pytest.raises(ShapeError, match=r"has shape \(9, 3, 2, 1\)"):
        model.run({"pixels": np.zeros((9, 3, 2, 1), np.float32)})
    with pytest.raises(ShapeError, match="no input 'x'"):
        model.run(counted(9, "x"))


def test_a_real_model_answers_a_large_request_as_computed_by_hand(tmp_path):
    options = BackendOptions(provider="cpu", max_batch_size=4)
    model = model_of(open_bundle(write_bundle(tmp_path / "linear")), None, options)
    pixels = np.arange(36, dtype=np.float32).reshape(9, 2, 2, 1)
    outputs, _ = model.run({"pixels": pixels})
    assert outputs["scores"].tolist() == [
        [4 * n, 4 * n + 1, 8 * n + 5] for n in range(9)
    ]


def test_arrays_that_disagree_have_no_number_of_items():
    two, three = np.zeros((2, 1)), np.zeros((3, 1))
    assert items_of({"x": two, "y": two}) == 2
    assert items_of({"x": two, "y": three}) is None
    assert items_of({"x": np.zeros(())}) is None
    assert items_of({"x": two[:0]}) is None
    assert items_of({}) is None
