"""The same share of each class is held out, by chance and by a seed."""

from __future__ import annotations

import numpy as np

from trainer.split import stratified

# Ten rows of class 0, five of class 1, two of class 2 and one of class 4.
_NUMBERS = np.array([0, 1] * 5 + [0] * 5 + [2, 2, 4])


def test_each_class_gives_its_share_and_keeps_one() -> None:
    chosen = stratified(_NUMBERS, 0.2, seed=7)
    assert chosen.shape == _NUMBERS.shape
    assert np.bincount(_NUMBERS[chosen], minlength=5).tolist() == [2, 1, 1, 0, 0]


def test_a_large_share_leaves_one_of_each_class() -> None:
    kept = ~stratified(_NUMBERS, 0.99, seed=7)
    assert np.bincount(_NUMBERS[kept]).tolist() == [1, 1, 1, 0, 1]


def test_the_same_seed_chooses_alike_and_another_does_not() -> None:
    numbers = np.arange(1000) % 10
    first = stratified(numbers, 0.2, seed=1)
    np.testing.assert_array_equal(first, stratified(numbers, 0.2, seed=1))
    assert not np.array_equal(first, stratified(numbers, 0.2, seed=2))


def test_the_choice_is_spread_and_not_every_fifth() -> None:
    chosen = np.flatnonzero(stratified(np.zeros(1000, np.int64), 0.2, seed=1))
    assert len(chosen) == 200
    # The gaps of a choice by chance differ; those of every fifth are all 5.
    assert len(set(np.diff(chosen).tolist())) > 5


def test_another_class_changes_nothing_for_the_rest() -> None:
    alone = stratified(np.zeros(50, np.int64), 0.2, seed=3)
    with_another = stratified(np.repeat([0, 1], 50), 0.2, seed=3)
    np.testing.assert_array_equal(with_another[:50], alone)
