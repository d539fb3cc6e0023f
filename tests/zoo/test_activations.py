"""Every function of ``keras.activations`` converts, and answers as TensorFlow does."""

import pytest

pytest.importorskip("tensorflow")

from tests.zoo.activations import APART, VARIANTS, names, specimens
from tests.zoo.run import run

pytestmark = pytest.mark.tensorflow


def short(specimen):
    return specimen.name.removeprefix("keras.activations.")


def test_what_is_told_of_functions_is_told_of_those_that_keras_has(keras):
    exported = {name for name in dir(keras.activations) if not name.startswith("_")}
    assert set(VARIANTS) <= set(names())
    assert set(APART) <= exported


@pytest.mark.parametrize("specimen", specimens(), ids=short)
def test_an_activation(specimen):
    outcome = run(specimen)
    assert not outcome.refusal
    assert outcome.parity.passed, outcome.parity.worst
