"""Lengths of free axes are found by asking; fakes refuse as TensorFlow does."""

import numpy as np
import pytest

from exporter.errors import NotDrawn, SourceError
from exporter.proof.lengths import Found, describe, find_lengths, with_shapes
from runtime.backends import InputRefused, TensorSpec
from tests.runtime.fakes import FakeBackend

FLOAT = np.dtype(np.float32)


class Picky(FakeBackend):
    """A backend that refuses inputs in the words of ``why``, and takes all others."""

    def __init__(self, why, *specs):
        super().__init__(inputs=specs)
        self._why = why
        self.runs = 0

    def run(self, inputs):
        self.runs += 1
        if sentence := self._why(*inputs.values()):
            raise InputRefused("no", is_of_shapes=True) from ValueError(sentence)
        return {}


def spec(name, *axes, dtype=FLOAT):
    return TensorSpec(name, dtype, (None, *axes))


def product(x):
    if x.shape[1] != 777:
        return f"Matrix size-incompatible: In[0]: [1,{x.shape[1]}], In[1]: [777,2]"
    return ""


def test_the_usual_length_is_asked_once():
    backend = Picky(lambda x: "", spec("x", None))
    assert find_lengths(backend, {}) == Found()
    assert backend.runs == 1


def test_the_one_length_is_read_in_tensorflows_sentence():
    backend = Picky(product, spec("x", None))
    found = find_lengths(backend, {})
    assert found.fixed == {"x": (None, 777)}
    assert not found.lengths
    assert describe(found) == "input 'x' takes only the shape N,777"


def test_a_length_that_no_sentence_names_is_found_by_trying():
    backend = Picky(lambda x: "" if x.shape[2] == 28 else "no", spec("x", 4, None))
    assert find_lengths(backend, {}).fixed == {"x": (None, 4, 28)}


def test_a_multiple_stays_free_and_two_are_told():
    def why(x):
        return "" if x.shape[1] % 48 == 0 else "must be a multiple"

    found = find_lengths(Picky(why, spec("x", None)), {})
    assert not found.fixed
    assert found.lengths == {("x", 1): (48, 96)}


def test_two_axes_with_a_product():
    """The model makes a row of 784 numbers of 28 x 28; 14 x 56 would fit as well."""

    def why(x):
        numbers = x.shape[1] * x.shape[2]
        if numbers == 784:
            return ""
        return f"Input to reshape is a tensor with {numbers} values, but needs 784"

    found = find_lengths(Picky(why, spec("x", None, None)), {})
    assert found.fixed == {"x": (None, 28, 28)}


def test_two_inputs_of_different_lengths():
    def why(a, b):
        if a.shape[1] != 3:
            return f"In[0]: [1,{a.shape[1]}], In[1]: [3,2]"
        return "" if b.shape[1] == 5 else f"In[0]: [1,{b.shape[1]}], In[1]: [5,2]"

    found = find_lengths(Picky(why, spec("a", None), spec("b", None)), {})
    assert found.fixed == {"a": (None, 3), "b": (None, 5)}


def test_inputs_that_share_a_length_keep_it_free():
    """Both lengths are a multiple of 10, and both are equal."""

    def why(a, b):
        if a.shape[1] != b.shape[1]:
            return "Incompatible shapes"
        return "" if a.shape[1] % 10 == 0 else "must be a multiple"

    found = find_lengths(Picky(why, spec("a", None), spec("b", None)), {})
    assert not found.fixed
    assert found.lengths == {("a", 1): (10, 20), ("b", 1): (10, 20)}


def test_sides_that_are_multiples_of_32_are_the_usual_ones():
    def why(x):
        return "" if x.shape[1] % 32 == x.shape[2] % 32 == 0 else "no"

    assert find_lengths(Picky(why, spec("x", None, None, 3)), {}) == Found()


def test_where_no_length_is_taken_the_axis_is_named():
    with pytest.raises(NotDrawn, match="axis 1 of input 'x'.* --shape x=N,3"):
        find_lengths(Picky(lambda x: "never", spec("x", None)), {})


def test_what_is_refused_for_its_values_is_no_matter_of_lengths():
    class OfValues(FakeBackend):
        def run(self, inputs):
            raise InputRefused("an index without a row")

    backend = OfValues(inputs=(spec("ids", None, dtype=np.dtype(np.int64)),))
    assert find_lengths(backend, {}) == Found()


@pytest.fixture(scope="module")
def product_of_three():
    """Return TensorFlow's product with 3 rows; its signature allows any number."""
    import tensorflow as tf

    from runtime.backends.saved_model import Signature, TensorFlowBackend

    specs = {"x": tf.TensorSpec([None, None], tf.float32, name="x")}
    table = tf.constant([[1.0, 2], [3, 4], [5, 6]])
    function = tf.function(
        lambda x: {"y": tf.matmul(x, table)}, autograph=False
    ).get_concrete_function(**specs)
    return TensorFlowBackend(Signature(function, specs, function.structured_outputs))


@pytest.mark.tensorflow
def test_a_product_with_a_matrix_has_its_rows(product_of_three):
    assert find_lengths(product_of_three, {}).fixed == {"x": (None, 3)}


@pytest.mark.tensorflow
def test_the_shape_that_is_given_reaches_the_onnx(product_of_three):
    from exporter.onnx_model.convert import convert

    given = with_shapes(product_of_three, {"x": (None, 3)})
    assert [s.shape for s in given.inputs] == [(None, 3)]
    model = convert(given.signature)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 3]


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({"z": (None, 3)}, "no input 'z' to give a shape to; the inputs are x"),
        ({"x": (None, 3, 1)}, "cannot have the shape N,3,1: .* says N,N"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(product_of_three, shapes, sentence):
    with pytest.raises(SourceError, match=sentence):
        with_shapes(product_of_three, shapes)
