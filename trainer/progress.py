"""The progress of a training: a bar with the time left, or a line for each epoch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from trainer.learner import Learner
from trainer.settings import Settings

if TYPE_CHECKING:
    import keras


def progress_of(learner: Learner, settings: Settings) -> list[keras.callbacks.Callback]:
    """Make the callbacks that tell people of the progress."""
    lines = _lines(learner, settings)
    return [_bar(learner, settings), lines] if settings.progress_bar else [lines]


def _lines(learner: Learner, settings: Settings) -> keras.callbacks.Callback:
    import keras

    began = [time.monotonic()]

    def print_epoch(epoch: int, logs: dict[str, float]) -> None:
        metrics = " - ".join(f"{name} {logs[name]:.4f}" for name in sorted(logs))
        now = time.monotonic()
        took, began[0] = now - began[0], now
        left = settings.epochs - learner.epoch
        told = f"{duration(took)}"
        if left and not learner.ended:
            told += f", {duration(took * left)} left"
        click.echo(f"epoch {epoch + 1}/{settings.epochs}: {metrics} - {told}")

    return keras.callbacks.LambdaCallback(on_epoch_end=print_epoch)


def _bar(learner: Learner, settings: Settings) -> keras.callbacks.Callback:
    """Make rich's bar of the steps of all epochs."""
    import keras
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    total = settings.epochs * learner.steps
    task = bar.add_task(
        "training", total=total, completed=learner.epoch * learner.steps
    )

    def begin(epoch: int, logs: object) -> None:
        bar.update(task, description=f"epoch {epoch + 1}/{settings.epochs}")

    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: bar.start(),
        on_epoch_begin=begin,
        on_train_batch_end=lambda batch, logs: bar.advance(task),
        on_train_end=lambda logs: bar.stop(),
    )


def duration(seconds: float) -> str:
    """Write a time as people say it: ``9.5 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"
