"""Training: fit a network to a data set, and measure it on rows it has not seen.

The same seed, data and machine give the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from trainer.learner import Learner, split_of, test_batches
from trainer.networks.build import build_network
from trainer.samples import Samples
from trainer.settings import Settings

if TYPE_CHECKING:
    import keras


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
    """

    model: keras.Model
    settings: Settings
    history: dict[str, list[float]]
    test_loss: float
    test_accuracy: float | None
    scores: NDArray[np.float32]
    seconds: float
    test_error: float | None = None

    @property
    def predicted(self) -> NDArray[np.int64]:
        """``(N,)`` int64, the model's class of each row of the test part."""
        predicted: NDArray[np.int64] = self.scores.argmax(axis=1).astype(np.int64)
        return predicted


def train(
    data: Samples, settings: Settings, check_stop: Callable[[], None] = lambda: None
) -> Training:
    """Fit and evaluate a network, and print the model and the progress.

    Args:
        data: the data set.
        settings: the settings of the training.
        check_stop: is called after every step of training and of measuring; it raises
            to end them.
    """
    import keras
    import tensorflow as tf

    from trainer.progress import progress_of

    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    model = build_network(data, settings.network, settings.width)
    model.summary(print_fn=click.echo)
    split = split_of(data, settings.seed)
    learner = Learner(model, data, settings, split)
    callbacks = [*progress_of(learner, settings), stopper(check_stop)]
    learner.run(callbacks)
    return _measured(data, settings, learner, callbacks[-1:])


def stopper(check_stop: Callable[[], None]) -> keras.callbacks.Callback:
    """Make a callback that asks after every step whether to end."""
    import keras

    def check(batch: int, logs: object) -> None:
        check_stop()

    return keras.callbacks.LambdaCallback(
        on_train_batch_end=check, on_test_batch_end=check, on_predict_batch_end=check
    )


def _measured(
    data: Samples,
    settings: Settings,
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
        test_error=None if is_classes else float(metric),
    )
