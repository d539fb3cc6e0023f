"""Real processes of a moment each."""

import pytest

from tests.tools import works
from tools.zoo.children import attempts
from tools.zoo.row import CRASHED, PROVED

# No attempt here needs any; one that hangs is ended by it.
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


def test_a_child_tries_many_small_models(tmp_path):
    notes = str(tmp_path / "layers")
    list(attempts(works.note, notes, [f"model {n}" for n in range(31)]))
    children = (tmp_path / "layers").read_text().splitlines()
    assert sorted(children) == ["2", "60"]


def test_an_application_has_a_child_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    list(attempts(works.note, "applications", ["one", "two", "three"]))
    assert (tmp_path / "applications").read_text().splitlines() == ["2", "2", "2"]
