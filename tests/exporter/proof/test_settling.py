"""The kinds of numbers that TensorFlow takes are found by asking a fake of it."""

import itertools

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


# --- what is asked


@pytest.mark.parametrize(
    ("shape", "size"), [((None, 2), 1), ((4, 2), 4), ((), 1)], ids=str
)
def test_a_model_is_asked_with_as_many_items_as_it_takes(shape, size):
    sizes = []

    def takes(x):
        sizes.append(len(x) if x.ndim else 1)
        return sizes[-1] == size

    settle(Picky(takes, TensorSpec("x", FLOAT, shape)), Preprocess(), None)
    assert set(sizes) == {size}


def test_a_free_batch_is_as_large_as_a_fixed_one():
    specs = (TensorSpec("x", FLOAT, (4, 2)), TensorSpec("y", FLOAT, (None, 3)))
    backend = Picky(lambda x, y: len(x) == len(y), *specs)
    (batch, *_) = drawn(settle(backend, Preprocess(), None), "random", 4)
    assert batch["y"].shape == (4, 3)
    assert batch["y"].min() < 0, "no special kind of numbers was needed"


@pytest.mark.parametrize(("dtype", "asked"), [(FLOAT, 1), (INT64, 32)])
def test_whole_numbers_are_all_tried_since_one_may_be_refused(dtype, asked):
    seen = []
    spec = TensorSpec("x", dtype, (None, 2))
    settle(Picky(lambda x: not seen.append(x), spec), Preprocess(), None)
    assert len(seen) == asked


def test_they_are_tried_for_five_seconds(monkeypatch):
    """The clock goes on by 1.5 s at each look: 4.5 s are not over, and 6 s are."""
    ticks = itertools.count(step=1.5)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    seen = []
    spec = TensorSpec("x", INT64, (None, 2))
    settle(Picky(lambda x: not seen.append(x), spec), Preprocess(), None)
    assert len(seen) == 4


def test_what_is_taken_is_drawn_as_usual():
    spec = TensorSpec("x", FLOAT, (None, 4))
    (batch,) = drawn(settle(Picky(lambda x: True, spec), Preprocess(), None), "random")
    assert batch["x"].min() < -1


def test_of_three_inputs_only_those_that_need_it_are_special():
    specs = [TensorSpec(name, INT64, (None, 5)) for name in "abc"]
    backend = Picky(lambda a, b, c: a.all() and b.all(), *specs)
    (batch,) = drawn(settle(backend, Preprocess(), None), "random")
    assert 0 not in batch["a"]
    assert 0 not in batch["b"]
    assert set(batch["c"].ravel()) == {0, 1}


def test_inputs_that_are_refused_are_all_named():
    specs = [TensorSpec(name, FLOAT, (None, 4)) for name in "xy"]
    with pytest.raises(NotDrawn) as caught:
        settle(Picky(lambda x, y: False, *specs), Preprocess(), None)
    assert str(caught.value).startswith(
        "TensorFlow itself fails on 'random' inputs at batch size 1; say between which"
        " numbers 'x', 'y' lie, with --range x=LOW:HIGH"
    )
    specs = [TensorSpec(name, np.dtype(object), (None, 4)) for name in "xy"]
    with pytest.raises(NotDrawn, match="input 'x', 'y' takes texts of a form"):
        settle(Picky(lambda x, y: False, *specs), Preprocess(), None)


# --- matrices


def test_one_matrix_alone_has_an_inverse_too():
    spec = TensorSpec("m", FLOAT, (3, 3))
    backend = Picky(lambda m: np.linalg.det(m) != 0, spec)
    (batch, *_) = drawn(settle(backend, Preprocess(), None), "random", 3)
    assert batch["m"].shape == (3, 3)
    assert np.linalg.cond(batch["m"]) < 10
    assert np.linalg.cond(batch["m"]) > 1


def test_a_matrix_beside_a_declared_input_has_an_inverse_too():
    specs = (TensorSpec("m", FLOAT, (None, 3, 3)), TensorSpec("y", FLOAT, (None,)))
    backend = Picky(lambda m, y: (np.linalg.det(m) != 0).all(), *specs)
    found = settle(backend, Preprocess(), None, {"y": (0.0, 1.0)})
    (batch,) = drawn(found, "random")
    assert np.linalg.cond(batch["m"]).max() < 10


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(FLOAT, (None, 2, 3)), (INT64, (None, 3, 3)), (FLOAT, (None, None))],
    ids=str,
)
def test_what_is_no_square_of_real_numbers_needs_no_inverse(dtype, shape):
    """TensorFlow refuses zeros alone, which nobody promised it."""
    spec = TensorSpec("m", dtype, shape)
    (batch,) = drawn(
        settle(Picky(lambda m: m.any(), spec), Preprocess(), None), "random"
    )
    usual = draws((spec,), Preprocess(), None)
    (expected,) = drawn(usual, "random")
    np.testing.assert_array_equal(batch["m"], expected["m"])


def test_what_is_no_square_may_have_to_be_positive():
    spec = TensorSpec("m", FLOAT, (None, 2, 3))
    backend = Picky(lambda m: (m > 0).all(), spec)
    (batch,) = drawn(settle(backend, Preprocess(), None), "random")
    assert (batch["m"] > 0).all()


def test_a_layer_without_a_place_for_unknown_words_gets_known_ones():
    spec = TensorSpec("part", np.dtype(object), (None, 1))
    words = Traits(words={"part": ("mu", "τ")})
    picky = Picky(lambda part: {*part.flat} <= {"mu", "τ"}, spec)
    found = settle(picky, Preprocess(), None, traits=words)
    (batch,) = drawn(found, "random")
    assert {*batch["part"].flat} == {"mu", "τ"}
    tolerant = settle(Picky(lambda part: True, spec), Preprocess(), None, traits=words)
    (batch,) = drawn(tolerant, "random")
    assert {*batch["part"].flat} > {"mu", "τ"}
