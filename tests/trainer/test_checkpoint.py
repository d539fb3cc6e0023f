"""A training goes on from its checkpoint bit by bit, and from no other one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer.examples import Variable, a_learner, blank_images, names_in
from trainer.checkpoint import Checkpoints
from trainer.data import DataSet
from trainer.errors import CheckpointError
from trainer.learner import Best
from trainer.saved import restore
from trainer.settings import Settings
from trainer.train import Training, keeper, train
from trainer.trials import Trial

ORDER = {"--epochs": 4, "--arch": None}
# All that a checkpoint must keep: moments, a falling rate, the state of the dropout, an
# augmentation, the best weights, and a twin in 16 bits.
SETTINGS = Settings(
    epochs=4,
    batch_size=40,
    seed=7,
    width=0.25,
    recipe="best",
    learning_rate=0.003,
    augmentation="affine",
    precision="mixed",
    patience=3,
)
DATA = blank_images((10, 10, 1), 2)
TRIALS = (Trial(0.003, 1.0, "affine", 1.0, 0.5, 0.9, 1.5),)


# --- the file


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "digits", ORDER, DATA)
    assert checkpoints.find() is None
    checkpoints.write(a_learner(Variable(1, 2), Variable(3)), SETTINGS, TRIALS)
    saved = checkpoints.need()
    assert (saved.settings, saved.trials, saved.epoch) == (SETTINGS, TRIALS, 2)
    learner = a_learner(Variable(0, 0), Variable(0), epoch=0, history={}, best=None)
    restore(learner, saved)
    assert [v.value.tolist() for v in learner.variables] == [[1, 2], [3]]
    assert learner.history == {"val_loss": [0.5, 0.25]}
    assert (learner.epoch, learner.seconds, learner.ended) == (2, 1.5, False)
    assert learner.best == Best(0.25, 2, [np.array([7.0])])
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.parent == tmp_path / ".training" / "digits"
    checkpoints.remove()
    assert names_in(tmp_path) == []


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "m", ORDER, DATA)
    checkpoints.write(a_learner(), SETTINGS, ())
    (file,) = (tmp_path / ".training" / "m").iterdir()
    left = file.with_name(f".{file.stem}.0123")
    for finish in (
        lambda: checkpoints.write(a_learner(), SETTINGS, ()),
        checkpoints.remove,
    ):
        left.write_bytes(b"half of it")
        finish()
        assert not left.exists()
    assert names_in(tmp_path) == []


def test_a_checkpoint_of_another_order_stays(tmp_path: Path) -> None:
    others = Checkpoints(tmp_path, "digits", {**ORDER, "--epochs": 9}, DATA)
    others.write(a_learner(), SETTINGS, ())
    checkpoints = Checkpoints(tmp_path, "digits", ORDER, DATA)
    checkpoints.write(a_learner(), SETTINGS, ())
    checkpoints.remove()
    assert others.find() is not None


def test_without_a_checkpoint_none_is_needed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "digits", ORDER, DATA)
    checkpoints.remove()
    with pytest.raises(CheckpointError, match="there is no checkpoint in .*--resume"):
        checkpoints.need()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--epochs": 9}, "an order with --epochs 4, not 9; give the same"),
        ({"--arch": "cnn"}, "with --arch not given, not cnn;"),
        ({"--epochs": 9, "--arch": "cnn"}, "--epochs 4, not 9 and --arch not given,"),
    ],
)
def test_other_settings_are_refused(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    Checkpoints(tmp_path, "m", ORDER, DATA).write(a_learner(), SETTINGS, ())
    with pytest.raises(CheckpointError, match=told):
        Checkpoints(tmp_path, "m", {**ORDER, **change}, DATA).need()


def _with_another_pixel(data: DataSet) -> DataSet:
    images = data.x_test.copy()
    images[1, 2, 3] = 1
    return dataclasses.replace(data, x_test=images)


@pytest.mark.parametrize(
    "changed",
    [
        _with_another_pixel(DATA),
        dataclasses.replace(DATA, y_train=DATA.y_train[::-1].copy()),
        dataclasses.replace(DATA, labels=("a", "b")),
    ],
)
def test_other_data_are_refused(tmp_path: Path, changed: DataSet) -> None:
    Checkpoints(tmp_path, "m", ORDER, DATA).write(a_learner(), SETTINGS, ())
    with pytest.raises(CheckpointError, match="the data set, a file or a package has"):
        Checkpoints(tmp_path, "m", ORDER, changed).need()


def test_another_file_of_the_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "nets.py"
    file.write_text("one")
    Checkpoints(tmp_path, "m", ORDER, DATA, (file,)).write(a_learner(), SETTINGS, ())
    Checkpoints(tmp_path, "m", ORDER, DATA, (file,)).need()
    file.write_text("two")
    with pytest.raises(CheckpointError, match="a file or a package has changed"):
        Checkpoints(tmp_path, "m", ORDER, DATA, (file,)).need()


def test_another_network_is_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "m", ORDER, DATA)
    checkpoints.write(a_learner(Variable(1, 2)), SETTINGS, ())
    for variables in ([Variable(1)], [Variable(1, 2), Variable(3)]):
        with pytest.raises(CheckpointError, match="is of another network"):
            restore(a_learner(*variables), checkpoints.need())


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "keys"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path, damage: str) -> None:
    checkpoints = Checkpoints(tmp_path, "m", ORDER, DATA)
    checkpoints.write(a_learner(Variable(1, 2)), SETTINGS, ())
    (file,) = (tmp_path / ".training" / "m").iterdir()
    if damage == "keys":
        text = np.frombuffer(json.dumps({"epoch": 1}).encode(), np.uint8)
        with file.open("wb") as stream:
            np.savez(stream, meta=text)
    else:
        whole = file.read_bytes()
        file.write_bytes({"cut": whole[:99], "empty": b"", "text": b"PK?"}[damage])
    with pytest.raises(CheckpointError, match="npz is damaged; remove it"):
        checkpoints.need()


def test_a_write_that_fails_leaves_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, "m", ORDER, DATA)

    def fail(descriptor: int) -> None:
        raise OSError("full")

    with monkeypatch.context() as full:
        full.setattr("trainer.checkpoint.os.fsync", fail)
        with pytest.raises(OSError, match="full"):
            checkpoints.write(a_learner(Variable(1)), SETTINGS, ())
    assert names_in(tmp_path) == []
    checkpoints.write(a_learner(Variable(1)), SETTINGS, ())
    monkeypatch.setattr("trainer.checkpoint.os.fsync", fail)
    with pytest.raises(OSError, match="full"):
        checkpoints.write(a_learner(Variable(2)), SETTINGS, ())
    assert checkpoints.need().arrays["variable_0"].tolist() == [1]
    assert len(names_in(tmp_path / ".training" / "m")) == 1


# --- a training that goes on


@pytest.fixture(scope="module")
def fewer(few_data: DataSet) -> DataSet:
    return dataclasses.replace(
        few_data,
        x_train=few_data.x_train[:120, ::2, ::2],
        y_train=few_data.y_train[:120],
        x_test=few_data.x_test[:, ::2, ::2],
    )


@pytest.fixture(scope="module")
def unbroken(fewer: DataSet, tensorflow: None) -> Training:
    return train(fewer, SETTINGS)


@pytest.mark.tensorflow
def test_a_resumed_training_gives_the_same_weights_and_scores(
    fewer: DataSet, unbroken: Training, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(tmp_path, "digits", ORDER, fewer)
    steps = []

    def stop_in_the_third_epoch() -> None:
        steps.append(1)
        # Three steps, and one for the validation, make an epoch.
        if len(steps) == 2 * 4 + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(fewer, SETTINGS, stop_in_the_third_epoch, checkpoints=checkpoints)
    saved = checkpoints.need()
    assert saved.epoch == 2
    resumed = train(fewer, SETTINGS, checkpoints=checkpoints, saved=saved)
    _assert_same(resumed, unbroken)
    # The checkpoint of the last epoch has all that the measures need.
    measured = train(fewer, SETTINGS, saved=checkpoints.need())
    _assert_same(measured, unbroken)


@pytest.mark.tensorflow
def test_scores_are_of_a_float32_model(unbroken: Training) -> None:
    assert {layer.compute_dtype for layer in unbroken.model.layers} == {"float32"}


@pytest.mark.tensorflow
def test_a_disk_that_is_full_is_a_warning(
    tensorflow: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".training").write_text("a file is in the way")
    keep = keeper(a_learner(), SETTINGS, (), Checkpoints(tmp_path, "m", ORDER, DATA))
    keep.on_epoch_end(0, {})
    assert capsys.readouterr().err.startswith("warning: no checkpoint could be written")


def _assert_same(one: Training, other: Training) -> None:
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.history == other.history
