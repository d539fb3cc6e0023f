import numpy as np
import pytest

from runtime.errors import BackendError, InvalidInput
from runtime.prediction.class_labels import best_labels, name_scores


def pairs(labels):
    return [(label["label"], float(label["probability"])) for label in labels]


def test_the_best_come_first_and_no_more_than_asked():
    scores = np.array([0.25, 0.5, 0.125, 0.125], np.float32)
    assert pairs(best_labels(scores, ("a", "b", "c", "d"), 3)) == [
        ("b", 0.5),
        ("a", 0.25),
        ("c", 0.125),
    ]


def test_among_equal_scores_the_first_class_comes_first():
    scores = np.array([1, 2, 0, 2, 1, 2], np.float32)
    best = [name for name, _ in pairs(best_labels(scores, tuple("abcdef"), 5))]
    assert best == ["b", "d", "f", "a", "e"]
    best = [
        name for name, _ in pairs(best_labels(np.array([True, False, True]), (), 9))
    ]
    assert best == ["0", "2", "1"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64])
def test_scores_of_any_kind_of_number_are_ordered(dtype):
    assert pairs(best_labels(np.array([3, 200, 1], dtype), (), 3)) == [
        ("1", 200),
        ("0", 3),
        ("2", 1),
    ]


def test_one_score_is_that_of_the_second_of_two_labels():
    one = np.array([0.75], np.float32)
    assert pairs(best_labels(one, ("no", "yes"), 2)) == [("yes", 0.75), ("no", 0.25)]
    assert pairs(name_scores(one, ("no", "yes"))) == [("yes", 0.75)]
    assert pairs(best_labels(one, (), 5)) == [("0", 0.75)]
    assert pairs(best_labels(one, ("only",), 5)) == [("only", 0.75)]


def test_another_number_of_labels_is_the_models_fault():
    """Some models show their number of classes only when they answer."""
    with pytest.raises(BackendError, match="answered 3 scores and has 2 labels"):
        best_labels(np.zeros(3), ("a", "b"), 1)


def test_where_labels_may_lack_the_classes_without_one_are_left_out():
    scores = np.array([0.25, 0.125, 0.625])
    best = best_labels(scores, ("a", "b"), 3, may_lack=True)
    assert pairs(best) == [("a", 0.25), ("b", 0.125)]
    assert pairs(name_scores(scores, ("a", "b"), may_lack=True)) == [
        ("a", 0.25),
        ("b", 0.125),
        ("2", 0.625),
    ]
    with pytest.raises(BackendError, match="answered 3 scores and has 4 labels"):
        best_labels(scores, ("a", "b", "c", "d"), 1, may_lack=True)


@pytest.mark.parametrize(
    "scores", [np.zeros((2, 2)), np.array(1.0), np.array(["a"], object)]
)
def test_what_is_no_list_of_scores_has_no_labels(scores):
    with pytest.raises(InvalidInput, match="no scores of classes"):
        name_scores(scores, ())
