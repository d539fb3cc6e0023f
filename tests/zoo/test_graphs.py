"""What TensorFlow 1 wrote converts, and answers as TensorFlow does."""

import pytest

pytest.importorskip("tensorflow")

from tests.zoo.graphs import specimens
from tests.zoo.run import run

pytestmark = pytest.mark.tensorflow


def test_no_two_specimens_have_one_name():
    names = [specimen.name for specimen in specimens()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("specimen", specimens(), ids=lambda s: s.name)
def test_a_graph_converts_and_is_proved(specimen):
    outcome = run(specimen)
    assert not outcome.refusal
    assert outcome.parity.passed, outcome.parity
