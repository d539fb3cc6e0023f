import math

import pytest

from bundle.spec import ModelSpec
from bundle.version import Version
from runtime.models.history import LEFT_SECONDS, History

DEFAULT = ModelSpec("linear")
CANARY = ModelSpec("linear", label="canary")


def version(tmp_path, number, name="linear"):
    return Version(name, number, tmp_path / name / str(number), (number,))


@pytest.fixture
def one(tmp_path):
    return version(tmp_path, 1)


@pytest.fixture
def two(tmp_path):
    return version(tmp_path, 2)


@pytest.fixture
def history():
    return History()


def test_the_version_that_answered_last_is_told_for_labels_and_no_number(history, one):
    history.note(DEFAULT, one, 0.0)
    assert history.last(DEFAULT) is one
    assert history.last(CANARY) is None
    assert history.last(ModelSpec("linear", version=1)) is None


def test_a_switch_is_a_change_of_the_number(tmp_path, history, one, two):
    changed = Version("linear", 2, tmp_path / "linear" / "2", (7,))
    noted = [history.note(DEFAULT, each, 0.0) for each in (one, one, two, changed)]
    assert noted == [False, False, True, False]
    assert history.last(DEFAULT) is changed


def test_a_version_is_kept_for_some_time_after_the_last_switch(history, one, two):
    history.note(DEFAULT, one, 0.0)
    assert history.until(one) == -math.inf
    history.note(DEFAULT, two, 10.0)
    assert history.until(one) == 10.0 + LEFT_SECONDS
    assert history.until(two) == -math.inf


def test_what_answers_for_a_label_is_not_kept_for_a_rollback_alone(history, one, two):
    for spec in (DEFAULT, CANARY):
        history.note(spec, one, 0.0)
    history.note(DEFAULT, two, 0.0)
    assert history.spare() == set()
    history.note(CANARY, two, 0.0)
    assert history.spare() == {("linear", 1)}


def test_a_version_that_was_replaced_meanwhile_does_not_leave_again(history, one, two):
    history.note(CANARY, one, 0.0)
    history.note(CANARY, two, 1.0)
    history.leave("linear", {"canary": one}, 2.0)
    assert history.last(CANARY) is two
    assert history.until(one) == 1.0 + LEFT_SECONDS
    history.leave("linear", {"canary": two}, 3.0)
    assert history.last(CANARY) is None
    assert history.until(two) == 3.0 + LEFT_SECONDS


def test_only_a_label_that_answered_is_forgotten(history, one, two):
    assert not history.forget(CANARY)
    history.note(CANARY, one, 0.0)
    history.note(CANARY, two, 0.0)
    assert history.forget(CANARY)
    assert history.answering("linear") == {}
    assert history.until(one) == -math.inf


def test_a_version_or_a_model_is_dropped_and_no_other(tmp_path, history, one, two):
    other = version(tmp_path, 1, "other")
    history.note(ModelSpec("other"), other, 0.0)
    history.note(CANARY, one, 0.0)
    history.note(DEFAULT, one, 0.0)
    history.note(DEFAULT, two, 0.0)
    history.drop("linear", 1)
    assert history.answering("linear") == {None: two}
    assert history.until(one) == -math.inf
    history.drop("linear", None)
    assert history.answering("linear") == {}
    assert history.answering("other") == {None: other}
