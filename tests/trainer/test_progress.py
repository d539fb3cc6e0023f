"""The progress tells the time that is left."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from trainer.progress import duration, progress
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
    assert duration(seconds) == text


@pytest.mark.tensorflow
def test_each_epoch_prints_its_figures_and_the_time_left(
    tensorflow: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = iter([100.0, 110.0, 121.0, 130.0])
    monkeypatch.setattr("trainer.progress.time.monotonic", lambda: next(clock))
    learner: Any = SimpleNamespace(epoch=0, steps=5, ended=False)
    with progress(learner, Settings(4, 10, 1)) as (lines,):
        for epoch in (0, 1, 2):
            learner.epoch = epoch + 1
            learner.ended = epoch == 2
            lines.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25})
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/4: loss 0.5000 - val_loss 0.2500 - 10.0 s, 30.0 s left",
        "epoch 2/4: loss 0.5000 - val_loss 0.2500 - 11.0 s, 22.0 s left",
        # The training ended early.
        "epoch 3/4: loss 0.5000 - val_loss 0.2500 - 9.0 s",
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
    learner: Any = SimpleNamespace(epoch=1, steps=5, ended=False)
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
