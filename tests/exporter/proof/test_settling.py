"""The kinds of numbers that TensorFlow takes are found by asking a fake of it."""

import numpy as np
import pytest

from bundle.params import Preprocess
from exporter.errors import NotDrawn
from exporter.proof.draws import Traits, draws
from exporter.proof.settling import settle
from runtime.backends import InputRefused, TensorSpec
from tests.runtime.fakes import FakeBackend

FLOAT, INT64 = np.dtype(np.float32), np.dtype(np.int64)


class Picky(FakeBackend):
    """A backend that takes the inputs that a function accepts."""

    def __init__(self, takes, *specs):
        super().__init__(inputs=specs)
        self._takes = takes

    def run(self, inputs):
        if not self._takes(**inputs):
            raise InputRefused("no")
        return {}


def drawn(found, name, size=32):
    (kind,) = [kind for kind in found if kind.name == name]
    return [batch for batch in kind.batches(size)]


def test_a_divisor_is_drawn_without_zero_and_the_dividend_as_usual():
    specs = (TensorSpec("count", INT64, (None,)), TensorSpec("total", INT64, (None,)))
    backend = Picky(lambda count, total: (count != 0).all(), *specs)
    (batch,) = drawn(settle(backend, Preprocess(), None), "random")
    assert set(batch["count"]) <= set(range(1, 10))
    assert len(set(batch["count"])) > 2
    assert set(batch["total"]) == {0, 1}


def test_what_is_inverted_is_drawn_with_an_inverse():
    spec = TensorSpec("m", FLOAT, (None, 3, 3))
    backend = Picky(lambda m: (np.linalg.det(m) != 0).all(), spec)
    (batch,) = drawn(settle(backend, Preprocess(), None), "random")
    assert np.linalg.cond(batch["m"]).max() < 10


def test_a_matrix_that_is_not_inverted_is_drawn_as_usual():
    spec = TensorSpec("m", FLOAT, (None, 3, 3))
    (batch,) = drawn(settle(Picky(lambda m: True, spec), Preprocess(), None), "random")
    assert np.linalg.cond(batch["m"]).max() > 10


def test_what_has_a_root_is_drawn_where_others_have_no_answer():
    """A triangular root of zeros is no error in TensorFlow: it is NaN."""

    class Root(FakeBackend):
        def run(self, inputs):
            m = inputs["m"]
            is_poor = np.abs(m).sum(-1) > 2 * np.abs(np.diagonal(m, 0, -2, -1))
            return {"root": np.where(is_poor, np.nan, 1).astype(np.float32)}

    backend = Root(inputs=(TensorSpec("m", FLOAT, (None, 3, 3)),))
    found = settle(backend, Preprocess(), None)
    (batch,) = drawn(found, "random")
    assert np.linalg.cond(batch["m"]).max() < 10
    for name in ("zeros", "ones"):
        (batch,) = drawn(found, name, 1)
        assert np.linalg.det(batch["m"]).all()


def test_numbers_that_must_be_above_zero():
    spec = TensorSpec("x", FLOAT, (None, 4))
    backend = Picky(lambda x: (x > 0).all(), spec)
    found = settle(backend, Preprocess(), None)
    (batch,) = drawn(found, "random")
    assert batch["x"].min() > 0


def test_where_nothing_is_taken_the_sentence_says_what_helps():
    spec = TensorSpec("x", FLOAT, (None, 4))
    with pytest.raises(NotDrawn, match="lie, with --range x=LOW:HIGH, .*sample.npz"):
        settle(Picky(lambda x: False, spec), Preprocess(), None)
    spec = TensorSpec("image", np.dtype(object), (None,))
    with pytest.raises(NotDrawn, match="'image' takes texts of a form of its own"):
        settle(Picky(lambda image: False, spec), Preprocess(), None)


def test_real_indices_are_drawn_as_whole_numbers_over_all_rows():
    spec = TensorSpec("ids", FLOAT, (None, 9))
    ranges, traits = {"ids": (0, 49)}, Traits(whole=frozenset({"ids"}))
    found = draws((spec,), Preprocess(), None, ranges, traits)
    rows = {row for batch in drawn(found, "random", 1) for row in batch["ids"].ravel()}
    assert rows == set(range(50))
    assert batch_dtype(found) == FLOAT


def batch_dtype(found):
    return drawn(found, "random")[0]["ids"].dtype


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_whole_numbers_are_drawn_small_with_signs_and_up_to_their_ends(dtype):
    spec = TensorSpec("n", np.dtype(dtype), (None, 5))
    names = frozenset({"n"})
    traits = Traits(signed=names, unbounded=names)
    found = draws((spec,), Preprocess(), None, {}, traits)
    (small,) = drawn(found, "small whole numbers")
    least = -9 if np.iinfo(dtype).min else 0
    assert set(small["n"].ravel()) == set(range(least, 10))
    (large,) = drawn(found, "large whole numbers")
    ends = np.iinfo(dtype)
    assert large["n"].max() > 0.9 * ends.max
    assert large["n"].min() < 0.9 * ends.min + 1
    assert (np.abs(large["n"].astype(float)) < 10).any()
    optional = {kind.name for kind in found if kind.may_be_refused}
    assert {"small whole numbers", "large whole numbers"} <= optional


def test_declared_numbers_are_never_left():
    spec = TensorSpec("n", INT64, (None, 5))
    names = frozenset({"n"})
    traits = Traits(signed=names, unbounded=names)
    found = draws((spec,), Preprocess(), None, {"n": (2, 4)}, traits)
    assert [kind.name for kind in found] == ["random", "lowest", "highest"]
    seen = {n for kind in found for b in kind.batches(7) for n in b["n"].ravel()}
    assert seen == {2, 3, 4}
