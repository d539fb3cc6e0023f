"""Event files have the figures of each epoch, as TensorFlow itself reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.examples import assert_refused, run_trainer
from trainer.event_log import event_log

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("tensorflow")]


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    """Read step, tag and value of each number in the one event file of a folder."""
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    (file,) = folder.iterdir()
    found = []
    for record in tf.data.TFRecordDataset(str(file)):
        event = Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            number = float(tf.make_ndarray(value.tensor))
            found.append((event.step, value.tag, round(number, 6)))
    return found


def test_training_and_validation_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    log = event_log(tmp_path)
    log.on_epoch_end(0, {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.625})
    log.on_epoch_end(1, {"loss": 0.25, "accuracy": 0.875, "val_loss": 0.5})
    log.on_train_end({})
    assert scalars(tmp_path / "train") == [
        (0, "epoch_loss", 0.5),
        (0, "epoch_accuracy", 0.75),
        (1, "epoch_loss", 0.25),
        (1, "epoch_accuracy", 0.875),
    ]
    assert scalars(tmp_path / "validation") == [
        (0, "epoch_loss", 0.625),
        (1, "epoch_loss", 0.5),
    ]


def test_a_folder_that_is_gone_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    log = event_log(tmp_path / "file")
    log.on_epoch_end(0, {"loss": 0.5})
    log.on_train_end({})
    told = capsys.readouterr().err
    assert told == f"warning: {tmp_path}/file lacks the figures of epoch 1\n"


def test_a_file_in_the_way_is_refused(tmp_path: Path, few_npz: Path) -> None:
    (tmp_path / "file").write_text("")
    arguments = ("--fin", few_npz, "--models-dir", tmp_path / "models")
    result = run_trainer("run", *arguments, "--tensorboard", tmp_path / "file")
    assert_refused(result, "file cannot be written", "--tensorboard")
    assert not (tmp_path / "models").exists()
