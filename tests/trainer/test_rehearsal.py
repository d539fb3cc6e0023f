"""A dry run tells what a training takes, and writes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.examples import names_in, run_trainer
from trainer.data import DataSet
from trainer.rehearsal import _duration, rehearse
from trainer.settings import Settings


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.53, "9.5 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (200.7, "3 min 20 s"),
        (3600, "1 h 0 min"),
        (7530, "2 h 5 min"),
    ],
)
def test_times_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert _duration(seconds) == text


@pytest.mark.tensorflow
@pytest.mark.usefixtures("tensorflow")
def test_it_tells_steps_memory_and_time(tmp_path: Path, few_npz: Path) -> None:
    options = ("--epochs", 3, "--batch-size", 100, "--patience", 2, "--dry-run")
    events = tmp_path / "events"
    result = run_trainer(
        *("run", "--fin", few_npz, "--models-dir", tmp_path, "--tensorboard", events),
        *options,
    )
    assert result.exit_code == 0, result.output
    told = result.output.splitlines()[-7:]
    # A tenth of each digit's images is held out. The classes' shares are rounded.
    found = re.fullmatch(
        r"rows: (\d+) to train on, (\d+) to validate, 100 to test", told[2]
    )
    assert found is not None
    train, validation = map(int, found.groups())
    assert train + validation == 500
    assert abs(validation - 50) <= 5
    assert told[:2] == ["network: cnn, 34,826 parameters", "precision: float32"]
    assert told[3] == "steps: 5 an epoch, 3 epochs at most"
    assert re.fullmatch(r"memory: [\d,]+ MB in these steps", told[4])
    assert re.fullmatch(
        r"time: \d+ ms a step, about .* an epoch and .* in all", told[5]
    )
    assert told[6] == "dry run: nothing was written"
    assert names_in(tmp_path) == []


@pytest.mark.tensorflow
@pytest.mark.usefixtures("tensorflow")
def test_a_step_of_few_images_is_a_whole_epoch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of 3 images of a class are trained on, and one takes a third of the time."""
    monkeypatch.setattr("trainer.rehearsal._measure", lambda *given: 6.0)
    images, numbers = np.zeros((6, 12, 12, 1), np.uint8), np.arange(6) % 2
    data = DataSet(images, numbers, images[:4], numbers[:4], ("a", "b"))
    rehearse(data, Settings(3, 128, 7), 0, None, lambda: None)
    # 6 s for 4 images are 1.5 s for each; 2 images are validated, and 4 are tested on.
    told = capsys.readouterr().out
    assert "time: 6000 ms a step, about 7.0 s an epoch and 23.0 s in all" in told


@pytest.mark.tensorflow
@pytest.mark.usefixtures("tensorflow")
def test_it_counts_the_trials(tmp_path: Path, few_npz: Path) -> None:
    result = run_trainer(
        *("run", "--fin", few_npz, "--fout", tmp_path / "m", "--tune", 2, "--dry-run")
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"^trials: 2, about \d", result.output, re.MULTILINE)
    assert "epoch 1/" not in result.output
    assert names_in(tmp_path) == []
