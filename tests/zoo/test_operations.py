"""Every function of ``keras.ops`` converts, and answers as TensorFlow does."""

import pytest

pytest.importorskip("tensorflow")

from tests.zoo.operations import (
    APART,
    RECIPES,
    UNTRACED,
    functions,
    specimens,
    untraced,
)
from tests.zoo.run import check, run
from tests.zoo.specimen import further

pytestmark = pytest.mark.tensorflow

# These do not convert yet, for these reasons; a test fails here when one does.
OPEN = {
    "ctc_loss": "tf2onnx knows no loop that fills a list from its end",
    "scan reverse": "tf2onnx knows no loop that fills a list from its end",
}
# Each of these takes seconds, because it converts loops of a hundred operators.
SLOW = ("svd", "eigh", "pinv", "lstsq", "matrix_rank", "norm", "fold", "ctc_loss")


def short(specimen):
    return specimen.name.removeprefix("keras.ops.")


FURTHER = further(specimens())


def shown(specimen):
    marks = [pytest.mark.further] if specimen.name in FURTHER else []
    if short(specimen) in OPEN:
        marks.append(pytest.mark.xfail(strict=True, reason=OPEN[short(specimen)]))
    if short(specimen).split()[0] in SLOW:
        marks.append(pytest.mark.slow)
    return pytest.param(specimen, marks=marks, id=short(specimen))


def test_every_function_has_a_recipe_or_stands_apart():
    assert set(functions()) == set(RECIPES) | set(APART)
    assert not set(RECIPES) & set(APART)


def test_no_two_specimens_have_one_name():
    names = [specimen.name for specimen in specimens()]
    assert len(set(names)) == len(names)
    assert set(OPEN) <= {short(specimen) for specimen in specimens()}


@pytest.mark.parametrize("specimen", untraced(), ids=short)
def test_what_keras_cannot_trace_still_cannot_be(specimen):
    """A function that raises nothing any more belongs to the other functions."""
    assert specimen.name.removeprefix("keras.ops.").split()[0] in UNTRACED
    with pytest.raises((TypeError, ValueError)):
        specimen.make()


@pytest.mark.parametrize("specimen", [shown(s) for s in specimens()])
def test_an_operation(specimen):
    check(run(specimen), specimen)
