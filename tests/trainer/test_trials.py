"""Trials look at the training part alone, and the best one is taken."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainer.trials
from tests.trainer.examples import blank_images
from trainer.checkpoint import Checkpoints
from trainer.data import DataSet
from trainer.errors import SearchMissing
from trainer.learner import Split
from trainer.search import check_search, search
from trainer.settings import Settings
from trainer.train import train
from trainer.trials import (
    Trial,
    best_of,
    choose_augmentation,
    print_trials,
    trial_split,
)

SETTINGS = Settings(1, 32, 7, network="cnn", learning_rate=0.003, width=0.25)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Replace the trainings; the loss is lowest for affine images and small rates."""
    found: list[Settings] = []

    def run_trial(
        data: object, settings: Settings, split: Split, *given: object
    ) -> Trial:
        found.append(settings)
        loss = settings.learning_rate + (settings.augmentation != "affine")
        return Trial(
            settings.learning_rate,
            settings.width,
            settings.augmentation or "none",
            settings.strength,
            loss,
            0.5,
            1.0,
        )

    for place in ("trainer.trials.run_trial", "trainer.search.run_trial"):
        monkeypatch.setattr(place, run_trial)
    return found


def a_data_set(**changes: Any) -> DataSet:
    return dataclasses.replace(blank_images((12, 12, 1), 2), **changes)


def test_the_best_trial_has_the_lowest_loss() -> None:
    trials = [Trial(0.1, 1, "none", 1, loss, 0, 0) for loss in (0.5, 0.25, 0.25, 1e9)]
    assert best_of(trials) is trials[1]
    chosen = dataclasses.replace(trials[1], augmentation="affine").chosen(SETTINGS)
    assert (chosen.augmentation, chosen.learning_rate) == ("affine", 0.1)
    assert (chosen.network, chosen.seed) == ("cnn", 7)


def test_rows_of_a_trial_are_of_the_training_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trainer.trials, "ROWS", 20)
    numbers = np.arange(100) % 2
    data = a_data_set(x_train=np.zeros((100, 12, 12, 1), np.uint8), y_train=numbers)
    split = trial_split(data, 3)
    assert (len(split.train), len(split.validation)) == (20, 10)
    assert not set(split.train) & set(split.validation)
    np.testing.assert_array_equal(trial_split(data, 3).train, split.train)


def test_each_augmentation_is_tried_with_the_other_settings(
    tried: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    trials = choose_augmentation(a_data_set(), SETTINGS, None, lambda: None)
    assert [s.augmentation for s in tried] == ["none", "shift-flip", "affine"]
    assert {(s.learning_rate, s.width) for s in tried} == {(0.003, 0.25)}
    assert best_of(trials).augmentation == "affine"
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == (
        "trial 3/3: rate 0.003, width 0.25, augmentation affine x 1 - val_accuracy"
        " 0.5000 - val_loss 0.0030 - 1.0 s"
    )


def test_a_search_finds_better_settings_and_repeats_itself(
    tried: list[Settings],
) -> None:
    settings = dataclasses.replace(SETTINGS, width=1.0)
    trials = search(a_data_set(), settings, 12, None, lambda: None)
    first = dataclasses.replace(settings, augmentation="none")
    assert tried[0] == first
    assert best_of(trials).augmentation == "affine"
    assert best_of(trials).loss < trials[0].loss
    assert all(0.0003 <= trial.learning_rate <= 0.03 for trial in trials)
    assert search(a_data_set(), settings, 12, None, lambda: None) == trials


def test_a_search_begins_with_each_augmentation_of_the_recipe(
    tried: list[Settings],
) -> None:
    settings = dataclasses.replace(SETTINGS, width=1.0, augmentation=None)
    search(a_data_set(), settings, 3, None, lambda: None)
    assert tried == [
        dataclasses.replace(settings, augmentation=name)
        for name in ("none", "shift-flip", "affine")
    ]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_trials_before_a_kill_are_not_done_again(
    tried: list[Settings], count: int
) -> None:
    data, noted = a_data_set(), list[int]()

    def note(trials: Sequence[Trial]) -> None:
        noted.append(len(trials))

    settings = dataclasses.replace(SETTINGS, width=1.0, augmentation=None)
    unbroken = search(data, settings, 8, None, lambda: None)
    tried.clear()
    done = tuple(unbroken[:count])
    assert search(data, settings, 8, None, lambda: None, done, note) == unbroken
    assert len(tried) == 8 - count
    assert noted == list(range(count + 1, 9))


@pytest.mark.tensorflow
def test_a_training_that_was_ended_in_its_trials_goes_on_after_the_last_one(
    tensorflow: None,
    tried: list[Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, settings = a_data_set(), dataclasses.replace(SETTINGS, augmentation=None)
    checkpoints = Checkpoints(tmp_path, "m", {}, data)
    run_trial = trainer.trials.run_trial

    def end_in_the_second(*given: Any) -> Trial:
        if tried:
            raise KeyboardInterrupt
        return run_trial(*given)

    with monkeypatch.context() as ended:
        ended.setattr("trainer.trials.run_trial", end_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            train(data, settings, checkpoints=checkpoints)
    saved = checkpoints.need()
    assert (saved.point, saved.settings) == ("trial 1", settings)
    tried.clear()
    training = train(data, settings, checkpoints=checkpoints, saved=saved)
    assert [one.augmentation for one in tried] == ["shift-flip", "affine"]
    assert training.trials[0] == saved.trials[0]
    assert training.settings == dataclasses.replace(settings, augmentation="affine")
    assert checkpoints.need().point == "epoch 1"


def test_a_search_leaves_the_width_of_the_users_own_network(
    tried: list[Settings],
) -> None:
    settings = dataclasses.replace(SETTINGS, network="nets.py:build", width=1.0)
    search(a_data_set(), settings, 6, None, lambda: None)
    assert {settings.width for settings in tried} == {1.0}


def test_a_table_has_the_best_trial_first(capsys: pytest.CaptureFixture[str]) -> None:
    first = Trial(0.003, 1.0, "none", 1.0, 0.5, 0.75, 1.0)
    better = dataclasses.replace(first, augmentation="affine", strength=0.5, loss=0.25)
    lost = dataclasses.replace(first, loss=math.inf)
    print_trials(a_data_set(), [first, lost, better])
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("│")
    ]
    assert [(row[0], row[-1]) for row in rows] == [
        ("3", "0.2500"),
        ("1", "0.5000"),
        ("2", "inf"),
    ]


def test_without_optuna_the_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "trainer.search.find_spec",
        lambda name: None if name == "optuna" else find_spec(name),
    )
    with pytest.raises(SearchMissing, match="install the extra 'tune'"):
        check_search()


@pytest.mark.tensorflow
def test_a_training_takes_the_best_trial_and_repeats_itself(
    tensorflow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bright halves are the classes, so a mirrored image is of the other class."""
    monkeypatch.setattr(trainer.trials, "EPOCHS", 3)
    images = np.zeros((80, 12, 12, 1), np.uint8)
    numbers = np.arange(80) % 2
    images[numbers == 0, :, :6] = 255
    images[numbers == 1, :, 6:] = 255
    data = a_data_set(x_train=images, y_train=numbers)
    settings = dataclasses.replace(SETTINGS, augmentation=None, batch_size=8)
    training = train(data, settings)
    assert [trial.augmentation for trial in training.trials] == [
        "none",
        "shift-flip",
        "affine",
    ]
    mirrored = training.trials[1]
    assert mirrored.loss > min(trial.loss for trial in training.trials)
    best = best_of(training.trials)
    assert training.settings.augmentation == best.augmentation != "shift-flip"
