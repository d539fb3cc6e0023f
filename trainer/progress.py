"""The progress of a training: a bar with the time left, or a line for each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from trainer.learner import Learner
from trainer.settings import Settings

if TYPE_CHECKING:
    import keras
    from rich.progress import Progress


@contextmanager
def progress(
    learner: Learner, settings: Settings
) -> Iterator[list[keras.callbacks.Callback]]:
    """Give the callbacks that tell people of the progress; remove the bar at the end.

    The end may be an exception, and a terminal must have its cursor again then.
    """
    if not settings.progress_bar:
        yield [_lines(learner, settings, click.echo)]
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        # A line that does not go through the bar's console would stand behind the bar.
        lines = _lines(
            learner,
            settings,
            lambda text: bar.console.print(text, highlight=False, soft_wrap=True),
        )
        yield [_steps(learner, settings, bar), lines]


def _lines(
    learner: Learner, settings: Settings, write: Callable[[str], None]
) -> keras.callbacks.Callback:
    import keras

    # The workers of Ray measure their own time, without the time of their start.
    before = [learner.seconds]

    def print_epoch(epoch: int, logs: dict[str, float]) -> None:
        metrics = " - ".join(f"{name} {logs[name]:.4f}" for name in sorted(logs))
        took, before[0] = learner.seconds - before[0], learner.seconds
        left = settings.epochs - learner.epoch
        told = _clock(took)
        if left and not learner.ended:
            told += f", {_clock(took * left)} left"
        write(f"epoch {epoch + 1}/{settings.epochs}: {metrics} - {told}")

    return keras.callbacks.LambdaCallback(on_epoch_end=print_epoch)


def _steps(
    learner: Learner, settings: Settings, bar: Progress
) -> keras.callbacks.Callback:
    """Make a callback that moves the bar by each step of all epochs."""
    import keras

    done, total = learner.epoch * learner.steps, settings.epochs * learner.steps
    task = bar.add_task("training", total=total, completed=done)

    def begin(epoch: int, logs: object) -> None:
        bar.update(task, description=f"epoch {epoch + 1}/{settings.epochs}")

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=begin, on_train_batch_end=lambda batch, logs: bar.advance(task)
    )


def _clock(seconds: float) -> str:
    """Write a time as the bar does: hours, minutes and seconds, such as 0:03:20."""
    return str(timedelta(seconds=round(seconds)))
