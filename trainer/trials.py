"""Short trainings that compare settings: on a part of the training data.

A small part over many epochs shows what the whole shows much later: a network learns
its images by heart, and augmentation helps against that. The test part is never looked
at, because its accuracy would then tell of a choice that was made by it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import click
import numpy as np

from trainer.augmentation import AUGMENTATIONS
from trainer.learner import Learner, Split, split_of, stopper
from trainer.networks.build import build_network
from trainer.networks.start import Start
from trainer.samples import Samples
from trainer.settings import Settings

# On so many of MNIST's and Fashion-MNIST's images, and in so many epochs, the
# augmentation wins that is the better one in a whole training.
ROWS = 8000
EPOCHS = 10
# So many rows measure a trial.
_VALIDATION_ROWS = 6000


@dataclass(frozen=True)
class Trial:
    """One short training.

    Attributes:
        learning_rate: see ``Settings``, as the others.
        width: the factor of the numbers of channels or units.
        augmentation: the name of the augmentation.
        strength: its factor.
        loss: the loss on the validation part after it; infinite if it is no number.
        metric: the accuracy there, or the mean absolute error of a regression.
        seconds: the time that it took.
    """

    learning_rate: float
    width: float
    augmentation: str
    strength: float
    loss: float
    metric: float
    seconds: float

    def chosen(self, settings: Settings) -> Settings:
        """Return the settings with those of the trial."""
        return replace(
            settings,
            learning_rate=self.learning_rate,
            width=self.width,
            augmentation=self.augmentation,
            strength=self.strength,
        )


def trial_split(data: Samples, seed: int) -> Split:
    """Choose the rows of the trials: the same ones for each."""
    split = split_of(data, seed)
    generator = np.random.default_rng(seed)
    return Split(
        generator.permutation(split.train)[:ROWS],
        generator.permutation(split.validation)[:_VALIDATION_ROWS],
    )


def run_trial(
    data: Samples,
    settings: Settings,
    split: Split,
    start: Start | None,
    check_stop: Callable[[], None],
) -> Trial:
    """Train with some settings on a part of the data, and measure on another."""
    import keras

    began = time.monotonic()
    # All trials begin with the same weights, and see the rows in the same order.
    keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    settings = replace(settings, epochs=EPOCHS, patience=None)
    model = build_network(data, settings.network, settings.width, start)
    learner = Learner(model, data, settings, split)
    learner.run([stopper(check_stop)])
    metric = "accuracy" if data.task == "classes" else "mean_absolute_error"
    loss = learner.history["val_loss"][-1]
    return Trial(
        learning_rate=settings.learning_rate,
        width=settings.width,
        augmentation=settings.augmentation or "none",
        strength=settings.strength,
        loss=loss if math.isfinite(loss) else math.inf,
        metric=learner.history[f"val_{metric}"][-1],
        seconds=round(time.monotonic() - began, 1),
    )


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the lowest loss; the first of equal ones."""
    return min(trials, key=lambda trial: trial.loss)


def choose_augmentation(
    data: Samples,
    settings: Settings,
    start: Start | None,
    check_stop: Callable[[], None],
    done: Sequence[Trial] = (),
    note: Callable[[Sequence[Trial]], None] = lambda trials: None,
) -> list[Trial]:
    """Try each augmentation, with the other settings as they are.

    Args:
        data: the data set, of which only the training part is used.
        settings: the settings of the recipe.
        start: see ``build_network``.
        check_stop: see ``train``.
        done: the first trials, which were done before a kill.
        note: is called with all trials so far after each new one.

    Returns:
        One trial for each; the best one is to be taken.
    """
    split = trial_split(data, settings.seed)
    trials = list(done)
    for name in AUGMENTATIONS[len(done) :]:
        tried = replace(settings, augmentation=name)
        trials.append(run_trial(data, tried, split, start, check_stop))
        print_trial(data, len(trials), len(AUGMENTATIONS), trials[-1])
        note(trials)
    return trials


def print_trial(data: Samples, number: int, count: int, trial: Trial) -> None:
    """Print one line about a trial that has ended."""
    metric = "accuracy" if data.task == "classes" else "mean_absolute_error"
    click.echo(
        f"trial {number}/{count}: {described(trial, data)} - val_{metric}"
        f" {trial.metric:.4f} - val_loss {trial.loss:.4f} - {trial.seconds:.1f} s"
    )


def print_trials(data: Samples, trials: Sequence[Trial]) -> None:
    """Print a table of the trials, the best one first."""
    from rich.console import Console
    from rich.table import Table

    metric = "accuracy" if data.task == "classes" else "mean absolute error"
    table = Table("trial", "rate", "width", "augmentation", metric, "loss")
    numbered = sorted(enumerate(trials, 1), key=lambda pair: pair[1].loss)
    for number, trial in numbered:
        table.add_row(
            str(number),
            f"{trial.learning_rate:.2g}",
            f"{trial.width:g}",
            _augmentation(trial),
            f"{trial.metric:.4f}",
            f"{trial.loss:.4f}",
        )
    Console().print(table)


def described(trial: Trial, data: Samples) -> str:
    """Write the settings of a trial."""
    text = f"rate {trial.learning_rate:.2g}, width {trial.width:g}"
    if isinstance(data.x_train, Mapping):
        return text
    return f"{text}, augmentation {_augmentation(trial)}"


def _augmentation(trial: Trial) -> str:
    if trial.augmentation == "none":
        return "none"
    return f"{trial.augmentation} x {trial.strength:.2g}"
