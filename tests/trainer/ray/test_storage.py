"""The storage gives the newest state that is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.examples import Variable, a_learner, blank_images, names_in
from trainer.errors import SettingsError
from trainer.ray.checkpoints import RayCheckpoints
from trainer.ray.storage import FILE_NAME, Storage, folder_name
from trainer.saved import Saved, write_saved
from trainer.settings import Settings
from trainer.trials import Trial

ORDER = {"--epochs": 4, "--seed": 7}
SETTINGS = Settings(epochs=4, batch_size=40, seed=7, workers=2)
DATA = blank_images((10, 10, 1), 2)
TRIALS = (Trial(0.003, 1.0, "affine", 1.0, 0.5, 0.9, 1.5),)


def keep(folder: Path, epoch: int) -> Path:
    """Write a state as Ray leaves it in a storage."""
    file = folder / folder_name(epoch) / FILE_NAME
    file.parent.mkdir(parents=True)
    learner = a_learner(Variable(epoch), epoch=epoch)
    with file.open("wb") as stream:
        write_saved(stream, ORDER, learner, SETTINGS, TRIALS)
    return file


def test_the_newest_epoch_is_found(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path), "digits")
    assert storage.newest() is None
    for epoch in (9, 10, 2):
        keep(tmp_path / "digits", epoch)
    # Ray's own files lie there, too.
    (tmp_path / "digits" / "checkpoint_manager_snapshot.json").write_text("{}")
    saved = storage.newest()
    assert saved is not None
    assert (saved.epoch, saved.settings, saved.trials) == (10, SETTINGS, TRIALS)
    np.testing.assert_array_equal(saved.arrays["variable_0"], [10])


@pytest.mark.parametrize("damage", ["cut", "empty", "missing"])
def test_a_state_whose_writer_was_killed_is_passed_over(
    tmp_path: Path, damage: str
) -> None:
    keep(tmp_path / "digits", 1)
    file = keep(tmp_path / "digits", 2)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-30] if damage == "cut" else b"")
    saved = Storage(str(tmp_path), "digits").newest()
    assert saved is not None
    assert saved.epoch == 1


def test_a_relative_path_begins_at_the_folder_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = Storage("states", "digits")
    assert storage.place == str(tmp_path / "states")


@pytest.mark.parametrize("place", ["ftp://host/states", "s3://", "nonsense://x"])
def test_another_url_is_refused(place: str) -> None:
    with pytest.raises(SettingsError, match="--ray-storage"):
        Storage(place, "digits")


def test_epochs_go_before_trials_and_all_are_removed(tmp_path: Path) -> None:
    checkpoints = RayCheckpoints(tmp_path, "digits", ORDER, DATA)
    assert checkpoints.find() is None
    checkpoints.write(None, SETTINGS, TRIALS)
    assert _point(checkpoints.need()) == (0, TRIALS)
    keep(tmp_path / ".training" / "digits" / checkpoints.storage.name, 3)
    assert _point(checkpoints.need()) == (3, TRIALS)
    checkpoints.remove()
    assert names_in(tmp_path) == []


def test_models_in_one_storage_have_folders_of_their_own(tmp_path: Path) -> None:
    place = str(tmp_path / "shared")
    names = {
        RayCheckpoints(tmp_path, name, order, DATA, storage=place).storage.name
        for name in ("a", "b")
        for order in (ORDER, {**ORDER, "--seed": 99})
    }
    assert len(names) == 4


def _point(saved: Saved) -> tuple[int, tuple[Trial, ...]]:
    return saved.epoch, saved.trials
