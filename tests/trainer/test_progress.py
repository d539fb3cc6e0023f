"""The progress tells the time that is left."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from trainer.progress import progress
from trainer.settings import Settings


@pytest.mark.tensorflow
def test_each_epoch_prints_its_figures_and_the_time_left(
    tensorflow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    # The epochs before a resumption took 100 s.
    learner: Any = SimpleNamespace(epoch=0, steps=5, ended=False, seconds=100.0)
    with progress(learner, Settings(4, 10, 1)) as (lines,):
        for epoch, seconds in enumerate((110.0, 181.0, 190.4)):
            learner.epoch, learner.seconds = epoch + 1, seconds
            learner.ended = epoch == 2
            lines.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25})
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/4: loss 0.5000 - val_loss 0.2500 - 0:00:10, 0:00:30 left",
        "epoch 2/4: loss 0.5000 - val_loss 0.2500 - 0:01:11, 0:02:22 left",
        # The training ended early.
        "epoch 3/4: loss 0.5000 - val_loss 0.2500 - 0:00:09",
    ]


@pytest.mark.tensorflow
def test_a_terminal_gets_a_bar_of_all_steps(
    tensorflow: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import rich.progress

    made: list[Any] = []

    class Bar(rich.progress.Progress):
        def __init__(self, *columns: Any) -> None:
            super().__init__(*columns)
            made.append(self)

    monkeypatch.setattr(rich.progress, "Progress", Bar)
    learner: Any = SimpleNamespace(epoch=1, steps=5, ended=False, seconds=1.0)
    settings = Settings(4, 10, 1, progress_bar=True)
    with pytest.raises(KeyboardInterrupt), progress(learner, settings) as (bar, lines):
        bar.on_epoch_begin(1, {})
        for batch in range(5):
            bar.on_train_batch_end(batch, {})
        learner.epoch = 2
        lines.on_epoch_end(1, {"loss": 0.5})
        raise KeyboardInterrupt
    assert not made[0].live.is_started
    assert re.search("^epoch 2/4: loss 0.5000 - ", capsys.readouterr().out, re.M)
    (task,) = made[0].tasks
    # The first epoch was done before a resumption.
    assert (task.total, task.completed, task.description) == (20, 10, "epoch 2/4")
