"""A model is asked with draws that suit its inputs and all that is known of them."""

import numpy as np
import pytest

from bundle.params import Preprocess
from bundle.sample import Sample
from exporter.proof.draws import Traits, draws
from runtime.backends import TensorSpec

AS_IT_IS = Preprocess()


def spec(dtype, *shape, name="x"):
    return TensorSpec(name, np.dtype(dtype), (None, *shape))


def drawn(*specs, how=AS_IT_IS, sample=None, **known):
    """Return the draws by their names."""
    found = draws(specs, how, sample, **known)
    assert len({draw.name for draw in found}) == len(found)
    return {draw.name: draw for draw in found}


def numbers(draw, size=4, name="x"):
    """Return all numbers of a draw, in one array ``(N, ...)``."""
    return np.concatenate([batch[name] for batch in draw.batches(size)])


# --- numbers


def test_real_numbers_are_normal_and_the_same_each_time():
    found = drawn(spec(np.float32, 50))
    assert [*found] == ["random", "zeros", "ones"]
    assert [draw.may_be_refused for draw in found.values()] == [False, True, True]
    x = numbers(found["random"])
    assert (x.dtype, x.shape) == (np.float32, (32, 50))
    # 1,600 numbers: a mean has a deviation of 0.025, and so has their spread.
    assert abs(x.mean()) < 0.1
    assert abs(x.std() - 1) < 0.1
    np.testing.assert_array_equal(x, numbers(found["random"]))
    assert {numbers(draw).dtype for draw in found.values()} == {x.dtype}
    assert numbers(found["zeros"]).tolist() == [[0] * 50] * 4
    assert numbers(found["ones"]).tolist() == [[1] * 50] * 4


@pytest.mark.parametrize(("size", "items"), [(1, 32), (7, 28), (32, 32), (40, 40)])
def test_a_size_has_whole_batches_of_32_items_or_one(size, items):
    batches = [batch["x"] for batch in drawn(spec(float, 2))["random"].batches(size)]
    assert {len(batch) for batch in batches} == {size}
    assert sum(map(len, batches)) == items


def test_declared_bounds_are_reached_and_kept():
    known = {"ranges": {"x": (5.0, 9.0)}}
    found = drawn(spec(np.float32, 50), **known)
    assert [*found] == ["random", "lowest", "highest"]
    assert not any(draw.may_be_refused for draw in found.values())
    x = numbers(found["random"])
    assert x.dtype == np.float32
    assert 5 <= x.min() < 5.1 < 8.9 < x.max() <= 9
    assert set(numbers(found["lowest"]).ravel()) == {5}
    assert set(numbers(found["highest"]).ravel()) == {9}
    # A picture whose range somebody declared is a tensor of numbers.
    image = spec(np.float32, 2, 2, 3)
    assert [*drawn(image, **known)] == ["random", "lowest", "highest"]


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int64, np.float32])
def test_whole_numbers_cover_their_range(dtype):
    """Real-numbered inputs may hold whole numbers, too."""
    known = {"ranges": {"x": (2, 5)}, "traits": Traits(whole=frozenset({"x"}))}
    x = numbers(drawn(spec(dtype, 20), **known)["random"])
    assert (x.dtype, {*x.ravel()}) == (dtype, {2, 3, 4, 5})


@pytest.mark.parametrize("dtype", [np.int32, np.bool_])
def test_without_a_range_whole_numbers_and_flags_are_0_and_1(dtype):
    x = numbers(drawn(spec(dtype, 20))["random"])
    assert (x.dtype, {*x.ravel()}) == (dtype, {0, 1})


def test_texts_are_of_several_kinds():
    found = drawn(spec(object, 20))
    texts = {*numbers(found["random"]).ravel()}
    assert "" in texts
    assert any(not text.isascii() for text in texts)
    assert any(" " in text for text in texts)
    assert len(texts) >= 4
    zeros, ones = numbers(found["zeros"]), numbers(found["ones"])
    assert {numbers(draw).dtype for draw in found.values()} == {np.dtype(object)}
    assert (zeros.shape, {*zeros.ravel()}) == ((4, 20), {""})
    assert "" not in ones


def test_texts_are_of_the_vocabulary_and_beside_it():
    traits = Traits(words={"x": ("e", "mu", "τ")})
    found = drawn(spec(object, 20), traits=traits)
    assert [*found] == ["random", "zeros", "ones", "texts out of vocabulary"]
    # One batch has them all.
    texts = {*numbers(found["random"], 32).ravel()}
    assert texts > {"e", "mu", "τ", ""}
    assert any(not text.isascii() for text in texts - {"τ"})
    assert not {*numbers(found["texts out of vocabulary"]).ravel()} & {"e", "mu", "τ"}
    assert found["texts out of vocabulary"].may_be_refused
    assert {*numbers(found["zeros"]).ravel()} == {""}
    assert {*numbers(found["ones"]).ravel()} == {"τ"}


def test_only_known_texts_are_drawn_for_a_layer_that_refuses_others():
    traits = Traits(words={"x": ("mu", "τ")})
    found = drawn(spec(object, 20), traits=traits, kinds={"x": "known"})
    for name in ("random", "zeros", "ones"):
        texts = numbers(found[name])
        assert {*texts.ravel()} <= {"mu", "τ"}
        assert (texts.dtype, {*map(type, texts.flat)}) == (object, {str})
    assert "" in numbers(found["texts out of vocabulary"])


# --- what is known of an input


def test_signed_numbers_are_small_and_of_both_signs():
    traits = Traits(signed=frozenset({"x"}))
    found = drawn(spec(np.int32, 50), traits=traits)
    assert found["small whole numbers"].may_be_refused
    x = numbers(found["small whole numbers"])
    assert {*x.ravel()} == {*range(-9, 10)}
    unsigned = numbers(drawn(spec(np.uint8, 50), traits=traits)["small whole numbers"])
    assert {*unsigned.ravel()} == {*range(10)}


def test_a_declared_range_is_stronger_than_a_trait():
    traits = Traits(signed=frozenset({"x"}), unbounded=frozenset({"x"}))
    known = {"traits": traits, "ranges": {"x": (1, 3)}}
    assert [*drawn(spec(np.int32, 9), **known)] == ["random", "lowest", "highest"]
    # Another input has the trait; this one keeps its range there, too.
    other = spec(np.int32, 50, name="y")
    traits = Traits(signed=frozenset("xy"), unbounded=frozenset("xy"))
    found = drawn(spec(np.int32, 50), other, traits=traits, ranges={"x": (1, 3)})
    for name in ("small whole numbers", "large whole numbers"):
        assert {*numbers(found[name]).ravel()} == {1, 2, 3}
        assert numbers(found[name], name="y").min() < 0


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_unbounded_numbers_are_small_and_up_to_the_ends(dtype):
    traits = Traits(unbounded=frozenset({"x"}))
    found = drawn(spec(dtype, 50), traits=traits)
    assert found["large whole numbers"].may_be_refused
    x = numbers(found["large whole numbers"])
    ends = np.iinfo(dtype)
    assert x.dtype == dtype
    assert x.min() < ends.min + ends.max // 20
    assert x.max() > ends.max - ends.max // 20
    if dtype == np.uint8:
        assert x.max() == 255
    small = (np.abs(x.astype(float)) <= 9).mean()
    # A quarter is small; of uint8, a few of the others are, too.
    assert 0.2 < small < 0.35
    near = x[np.abs(x.astype(float)) < 12]
    if dtype != np.uint8:
        assert {*near} == {*range(-9, 10)}


# --- kinds of numbers, for models that do not take all


@pytest.mark.parametrize(
    "name", ["random", "small whole numbers", "large whole numbers"]
)
def test_a_divisor_is_never_0(name):
    traits = Traits(signed=frozenset({"x"}), unbounded=frozenset({"x"}))
    found = drawn(spec(np.int32, 50), traits=traits, kinds={"x": "nonzero"})
    x = numbers(found[name])
    assert 0 not in x
    assert 1 in x
    if name == "random":
        assert {*x.ravel()} == {*range(1, 10)}
    if name == "small whole numbers":
        # Each batch has both signs.
        for batch in found[name].batches(8):
            assert {*batch["x"].ravel()} == {*range(-9, 10)} - {0}
    assert x.dtype == np.int32
    unsigned = drawn(spec(np.uint8, 50), traits=traits, kinds={"x": "nonzero"})
    assert 0 not in numbers(unsigned[name])


def test_positive_numbers_are_not_near_0():
    x = numbers(drawn(spec(np.float32, 50), kinds={"x": "positive"})["random"])
    assert x.dtype == np.float32
    assert 0.5 <= x.min() < 0.6
    assert x.max() > 2.5


def test_matrices_have_an_inverse():
    found = drawn(spec(np.float32, 2, 4, 4), kinds={"x": "matrix"})
    for draw in found.values():
        assert numbers(draw).dtype == np.float32
        assert np.linalg.cond(numbers(draw)).max() < 20
    assert numbers(found["zeros"])[0, 1].tolist() == np.eye(4).tolist()
    assert numbers(found["ones"])[0, 1].tolist() == (2 * np.eye(4)).tolist()
    assert len(np.unique(numbers(found["random"]))) > 100


# --- free axes


def test_free_axes_have_two_lengths():
    free = (spec(np.float32, None, 3), spec(np.float32, 2, name="y"))
    found = drawn(*free)
    longer = found["another length"]
    assert longer.may_be_refused
    assert numbers(found["random"]).shape == (32, 8, 3)
    assert numbers(longer).shape == (32, 13, 3)
    assert numbers(longer, name="y").shape == (32, 2)
    assert abs(numbers(longer).std() - 1) < 0.1
    found = drawn(*free, lengths={("x", 1): (4, 6)})
    assert numbers(found["random"]).shape == (32, 4, 3)
    assert numbers(found["another length"]).shape == (32, 6, 3)


# --- pictures


def test_pictures_are_drawn_over_all_pixels_and_prepared():
    found = drawn(spec(np.float32, 4, 6, 3), how=Preprocess(scale=1 / 255))
    assert [*found] == ["random", "zeros", "white"]
    assert not any(draw.may_be_refused for draw in found.values())
    x = numbers(found["random"])
    assert (x.dtype, x.shape) == (np.float32, (32, 4, 6, 3))
    assert (x.min(), x.max()) == (0, 1)
    assert {*numbers(found["zeros"]).ravel()} == {0}
    assert {*numbers(found["white"]).ravel()} == {1}
    np.testing.assert_array_equal(x, numbers(found["random"]))
    again = drawn(spec(np.float32, 4, 6, 3), how=Preprocess(scale=1 / 255))
    np.testing.assert_array_equal(x, numbers(again["random"]))
    # All zeros are alike, so one is enough.
    assert len(numbers(found["zeros"], 1)) == len(numbers(found["white"], 1)) == 1


def test_real_pictures_come_first_and_each_is_in_a_batch():
    images = np.arange(3, dtype=np.uint8).repeat(4).reshape(3, 2, 2, 1)
    found = drawn(spec(np.uint8, 2, 2, 1), sample=Sample(images, np.array([0, 1, 2])))
    assert [*found] == ["sample", "random", "zeros", "white"]
    x = numbers(found["sample"], size=2)
    assert x[:, 0, 0, 0].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("shape", "how", "lengths", "first", "other"),
    [
        ((None, None, 3), AS_IT_IS, {}, (32, 32, 3), (37, 37, 3)),
        ((None, 8, 3), AS_IT_IS, {}, (32, 8, 3), (37, 8, 3)),
        ((8, None, 3), AS_IT_IS, {}, (8, 32, 3), (8, 37, 3)),
        ((8, 8, None), AS_IT_IS, {}, (8, 8, 1), None),
        ((8, 8, None), AS_IT_IS, {("x", 3): (3, 1)}, (8, 8, 3), None),
        ((None, 8, 1), AS_IT_IS, {("x", 1): (16, 24)}, (16, 8, 1), (24, 8, 1)),
        ((8, None, 1), AS_IT_IS, {("x", 2): (16, 24)}, (8, 16, 1), (8, 24, 1)),
        ((None, None, 1), Preprocess(size=(5, 7)), {}, (5, 7, 1), None),
    ],
)
def test_a_picture_of_free_sides_has_two_sizes(shape, how, lengths, first, other):
    found = drawn(spec(np.float32, *shape), how=how, lengths=lengths)
    assert numbers(found["random"]).shape[1:] == first
    assert numbers(found["zeros"]).shape[1:] == first
    assert ("another size" in found) is (other is not None)
    if other:
        assert found["another size"].may_be_refused
        x = numbers(found["another size"])
        assert (x.shape, x.min(), x.max()) == ((32, *other), 0, 255)


@pytest.mark.parametrize(
    "specs",
    [
        [spec(np.float32, 4, 4, 2)],
        [spec(np.float32, 4, 4)],
        [spec(np.float32, 4, 4, 4, 3)],
        [spec(np.bool_, 4, 4, 3)],
        [spec(np.float32, 4, 4, 3), spec(np.float32, 4, 4, 3, name="y")],
    ],
)
def test_what_is_no_single_picture_gets_numbers(specs):
    assert [*drawn(*specs)] == ["random", "zeros", "ones"]
