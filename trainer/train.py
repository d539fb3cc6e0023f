"""Training: fit a network to a data set, and measure it on rows it has not seen.

The same seed, data and machine give the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from bundle.disk import refusal
from trainer.checkpoint import Checkpoints
from trainer.event_log import event_log
from trainer.learner import Learner, split_of, stopper, test_batches
from trainer.networks.build import build_network
from trainer.networks.start import Start
from trainer.progress import progress
from trainer.samples import Samples
from trainer.saved import Saved, restore
from trainer.search import search
from trainer.settings import Settings
from trainer.trials import Trial, best_of, choose_augmentation, described, print_trials

if TYPE_CHECKING:
    import keras

    from trainer.ray.run import RayTraining


@dataclass(frozen=True)
class Training:
    """A fitted model, with its settings and measures.

    Attributes:
        model: it takes images ``(N, H, W, C)``, or rows of a table, and gives ``(N,
            num_classes)`` scores, or ``(N, 1)`` numbers.
        settings: the settings of the training.
        history: Keras's metrics by name, with one value for each epoch.
        test_loss: the categorical cross-entropy over the test part; for a regression
            the mean squared error, divided by the variance of the training labels.
        test_accuracy: the share of the test part that is classified right, 0..1; None
            for a regression.
        scores: ``(N, num_classes)`` float32, the model's answers to the test part;
            ``(N, 1)`` for a regression.
        seconds: the time that the fit took.
        test_error: the mean absolute error of a regression; None for classes.
        trials: the short trainings by which settings were chosen.
    """

    model: keras.Model
    settings: Settings
    history: dict[str, list[float]]
    test_loss: float
    test_accuracy: float | None
    scores: NDArray[np.float32]
    seconds: float
    test_error: float | None = None
    trials: tuple[Trial, ...] = ()

    @property
    def epochs(self) -> int:
        """The number of epochs that were done; patience may end a training early."""
        return len(self.history["loss"])

    @property
    def predicted(self) -> NDArray[np.int64]:
        """``(N,)`` int64, the model's class of each row of the test part."""
        predicted: NDArray[np.int64] = self.scores.argmax(axis=1).astype(np.int64)
        return predicted


def train(
    data: Samples,
    settings: Settings,
    check_stop: Callable[[], None] = lambda: None,
    *,
    tune: int = 0,
    start: Start | None = None,
    checkpoints: Checkpoints | None = None,
    saved: Saved | None = None,
    events: Path | None = None,
    remote: RayTraining | None = None,
) -> Training:
    """Fit and evaluate a network, and print the model and the progress.

    Args:
        data: the data set.
        settings: the settings of the training.
        check_stop: is called after every step of training and of measuring; it raises
            to end them.
        tune: the number of trials of a search for better settings.
        start: the bundle whose network and weights the training starts from.
        checkpoints: keep the state here after each trial and each epoch.
        saved: go on from this state.
        events: write TensorBoard's event files into this folder.
        remote: the workers that do the epochs, and keep the state after each; None does
            them in this process.

    Raises:
        ArchitectureError: the network cannot be built, or does not fit the data.
        CheckpointError: ``saved`` is of another network.
        ClusterFailed: the workers failed.
    """
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    if saved is not None:
        settings = replace(saved.settings, progress_bar=settings.progress_bar)
        click.echo(f"resumed after {saved.point}")
    trials = saved.trials if saved is not None else ()
    if saved is None or not saved.arrays:
        trials = _trials(data, settings, tune, start, check_stop, trials, checkpoints)
        if trials:
            settings = best_of(trials).chosen(settings)
            click.echo(f"chosen: {described(best_of(trials), data)}")
            # The layers are named as if there had been no trials.
            keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    model = build_network(data, settings.network, settings.width, start)
    model.summary(print_fn=click.echo)
    learner = Learner(model, data, settings, split_of(data, settings.seed))
    if saved is not None and saved.arrays:
        restore(learner, saved)
    callbacks = []
    # An epoch is told of as soon as it cannot be lost.
    if checkpoints is not None and remote is None:
        callbacks.append(keeper(learner, settings, trials, checkpoints))
    if events is not None:
        callbacks.append(event_log(events))
    stop = stopper(check_stop)
    with progress(learner, settings) as telling:
        if remote is None:
            learner.run([*callbacks, *telling, stop])
        else:
            remote.run(learner, settings, trials, [*callbacks, *telling], check_stop)
    return _measured(data, settings, trials, learner, [stop])


def _trials(
    data: Samples,
    settings: Settings,
    tune: int,
    start: Start | None,
    check_stop: Callable[[], None],
    done: tuple[Trial, ...],
    checkpoints: Checkpoints | None,
) -> tuple[Trial, ...]:
    """Do the trials by which settings are chosen; none if all are chosen."""

    def note(trials: Sequence[Trial]) -> None:
        if checkpoints is not None:
            _keep(checkpoints, None, settings, trials)

    if tune:
        trials = search(data, settings, tune, start, check_stop, done, note)
        print_trials(data, trials)
        return tuple(trials)
    if settings.augmentation is None:
        return tuple(choose_augmentation(data, settings, start, check_stop, done, note))
    return ()


def keeper(
    learner: Learner,
    settings: Settings,
    trials: tuple[Trial, ...],
    checkpoints: Checkpoints,
) -> keras.callbacks.Callback:
    """Make a callback that writes a checkpoint after each epoch."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: _keep(checkpoints, learner, settings, trials)
    )


def _keep(
    checkpoints: Checkpoints,
    learner: Learner | None,
    settings: Settings,
    trials: Sequence[Trial],
) -> None:
    try:
        checkpoints.write(learner, settings, trials)
    # The training itself needs no disk until its end.
    except OSError as ex:
        why = refusal(ex, "stop, and train elsewhere")
        click.echo(f"warning: no checkpoint could be written: {why}", err=True)


def _measured(
    data: Samples,
    settings: Settings,
    trials: tuple[Trial, ...],
    learner: Learner,
    callbacks: list[keras.callbacks.Callback],
) -> Training:
    learner.compile_for_measures()
    model = learner.model
    batches = test_batches(data, settings)
    loss, metric = model.evaluate(batches, verbose=0, callbacks=callbacks)
    scores = model.predict(batches, verbose=0, callbacks=callbacks)
    is_classes = data.task == "classes"
    return Training(
        model=model,
        settings=settings,
        history=learner.history,
        test_loss=float(loss),
        test_accuracy=float(metric) if is_classes else None,
        scores=scores,
        seconds=learner.seconds,
        trials=trials,
        test_error=None if is_classes else float(metric),
    )
