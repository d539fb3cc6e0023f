"""``--dry-run``: a few steps are measured, and nothing is written."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import click

from trainer.augmentation import AUGMENTATIONS
from trainer.learner import Learner, split_of
from trainer.networks.build import build_network
from trainer.networks.start import Start
from trainer.samples import Samples
from trainer.settings import Settings
from trainer.trials import EPOCHS, trial_split

# The first steps build TensorFlow's graph.
_WARM_UP = 2
# So many steps are measured, but none begins after so many seconds.
_STEPS = 20
_SECONDS = 10.0
# A row is measured in a third of the time in which it is trained on, because nothing
# goes backwards.
_MEASURING = 1 / 3


def rehearse(
    data: Samples,
    settings: Settings,
    trials: int,
    start: Start | None,
    check_stop: Callable[[], None],
) -> None:
    """Print what the training would take.

    Args:
        data: the data set.
        settings: the settings of the training.
        trials: the number of trials before it.
        start: see ``build_network``.
        check_stop: is called after every step; it raises to end them.
    """
    import keras

    keras.utils.set_random_seed(settings.seed)
    model = build_network(data, settings.network, settings.width, start)
    model.summary(print_fn=click.echo)
    split = split_of(data, settings.seed)
    # The last one is the slowest.
    augmentation = settings.augmentation or AUGMENTATIONS[-1]
    tried = replace(settings, augmentation=augmentation)
    learner = Learner(model, data, tried, split)
    step = _measure(learner, check_stop)
    click.echo(f"network: {settings.network_name}, {model.count_params():,} parameters")
    click.echo(f"precision: {settings.precision}")
    click.echo(
        f"rows: {len(split.train):,} to train on, {len(split.validation):,} to"
        f" validate, {len(data.y_test):,} to test"
    )
    click.echo(f"steps: {learner.steps:,} an epoch, {_epochs(settings)}")
    click.echo(f"memory: {_peak_bytes() / 1e6:,.0f} MB in these steps")
    # The last batch of an epoch may be a small one, and a small set has no other.
    row = step * learner.steps / len(split.train)
    epoch = row * (len(split.train) + _MEASURING * len(split.validation))
    seconds = epoch * settings.epochs + row * _MEASURING * len(data.y_test)
    if trials:
        part = trial_split(data, settings.seed)
        rows = len(part.train) + _MEASURING * len(part.validation)
        told = row * rows * EPOCHS * trials
        click.echo(f"trials: {trials}, about {_duration(told)}")
        seconds += told
    click.echo(
        f"time: {step * 1000:.0f} ms a step, about {_duration(epoch)} an epoch and"
        f" {_duration(seconds)} in all"
    )
    if settings.workers > 1:
        click.echo(
            f"workers: {settings.workers} on Ray; the times above are those of one"
            " process"
        )
    click.echo("dry run: nothing was written")


def _measure(learner: Learner, check_stop: Callable[[], None]) -> float:
    """Return the seconds of one training step."""
    for number in range(_WARM_UP):
        learner.step(number)
        check_stop()
    began = time.monotonic()
    for number in range(1, _STEPS + 1):
        learner.step(number)
        check_stop()
        if (took := time.monotonic() - began) > _SECONDS:
            break
    return took / number


def _peak_bytes() -> int:
    """Return the most memory that the process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, and Linux kilobytes.
    return peak if sys.platform == "darwin" else peak * 1024


def _epochs(settings: Settings) -> str:
    count = settings.epochs
    at_most = " at most" if settings.patience else ""
    return f"{count} epoch{'s' if count > 1 else ''}{at_most}"


def _duration(seconds: float) -> str:
    """Write a time as people say it: ``9.5 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"
