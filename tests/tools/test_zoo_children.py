"""The tests start real processes, which live for a moment each."""

from collections import Counter

import pytest

from tests.tools import works
from tools.zoo.children import attempts
from tools.zoo.row import CRASHED, PROVED

pytestmark = pytest.mark.slow

# No attempt here needs a second; the limit ends an attempt that hangs.
SECONDS = 1


def test_each_model_is_tried_in_both_ways_and_ours_comes_first():
    ended = list(attempts(works.mostly_well, "layers", ["one", "two"]))
    assert [task for task, _ in ended] == [
        ("one", "ours"),
        ("one", "alone"),
        ("two", "ours"),
        ("two", "alone"),
    ]
    assert {attempt.verdict for _, attempt in ended} == {PROVED}
    assert ended[2][1].reason == "layers two ours"


@pytest.mark.parametrize(
    ("name", "whose", "reason"),
    [("abort", "ours", "SIGABRT"), ("hang", "alone", "longer than 1 s")],
)
def test_an_attempt_that_ends_its_process_costs_its_own_row_alone(name, whose, reason):
    names = ["before", name, "after"]
    ended = dict(attempts(works.mostly_well, "layers", names, SECONDS))
    lost = ended.pop((name, whose))
    assert lost.verdict == CRASHED
    assert reason in lost.reason
    assert len(ended) == 5
    assert {attempt.verdict for attempt in ended.values()} == {PROVED}


def test_who_dies_after_the_last_answer_has_answered():
    ended = list(attempts(works.die_at_the_end, "layers", ["one"]))
    assert [attempt.verdict for _, attempt in ended] == [PROVED, PROVED]


def children_of(family, names):
    """Return how many attempts each child was asked for."""
    ended = attempts(works.tell_the_child, family, names)
    return sorted(Counter(attempt.reason for _, attempt in ended).values())


def test_a_child_tries_many_small_models():
    assert children_of("layers", [f"model {n}" for n in range(31)]) == [2, 60]


def test_an_application_has_a_child_of_its_own():
    assert children_of("applications", ["one", "two", "three"]) == [2, 2, 2]
