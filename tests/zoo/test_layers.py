"""Every layer of ``keras.layers`` converts, and answers as TensorFlow does."""

import pytest

pytest.importorskip("tensorflow")

from tests.zoo.layers import APART, RECIPES, names, specimens
from tests.zoo.run import check, run
from tests.zoo.specimen import further

pytestmark = pytest.mark.tensorflow

# Each of these takes seconds.
SLOW = (
    "ContrastLimitedAdaptiveHistogramEqualization",
    "ConvLSTM1D",
    "ConvLSTM3D",
    "Equalization",
    "Hashing",
    "MelSpectrogram",
    "StackedRNNCells",
)


def short(specimen):
    return specimen.name.removeprefix("keras.layers.")


def test_every_layer_has_a_recipe_or_stands_apart():
    known = set(names().values())
    assert known == set(RECIPES) | set(APART)
    assert not set(RECIPES) & set(APART)


def test_another_name_of_a_layer_is_known_as_one():
    assert names()["Convolution2D"] == "Conv2D"
    assert names()["GlobalMaxPool1D"] == "GlobalMaxPooling1D"


def test_no_two_specimens_have_one_name():
    found = [specimen.name for specimen in specimens()]
    assert len(set(found)) == len(found)
    assert set(SLOW) <= {short(specimen) for specimen in specimens()}


FURTHER = further(specimens())


def shown(specimen):
    marks = [pytest.mark.further] if specimen.name in FURTHER else []
    if short(specimen) in SLOW:
        marks.append(pytest.mark.slow)
    return pytest.param(specimen, marks=marks, id=short(specimen))


@pytest.mark.parametrize("specimen", [shown(s) for s in specimens()])
def test_a_layer(specimen):
    check(run(specimen), specimen)
