"""Every function of ``keras.activations`` converts, and answers as TensorFlow does."""

import pytest

pytest.importorskip("tensorflow")

import keras

from tests.zoo.activations import APART, VARIANTS, names, specimens
from tests.zoo.run import check, run
from tests.zoo.specimen import further

pytestmark = pytest.mark.tensorflow


def short(specimen):
    return specimen.name.removeprefix("keras.activations.")


def test_what_stands_apart_or_is_told_more_is_in_keras():
    assert set(VARIANTS) <= set(names())
    assert all(hasattr(keras.activations, name) for name in APART)


FURTHER = further(specimens())


def shown(specimen):
    marks = [pytest.mark.further] if specimen.name in FURTHER else []
    return pytest.param(specimen, marks=marks, id=short(specimen))


@pytest.mark.parametrize("specimen", [shown(s) for s in specimens()])
def test_an_activation(specimen):
    check(run(specimen), specimen)
