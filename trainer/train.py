"""Training: fit a network to a data set, and measure it on images it has not seen.

The same seed, data and machine give the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from trainer.data import DataSet
from trainer.networks import NETWORKS

if TYPE_CHECKING:
    import keras

# This share of the training images is not trained on, but measures each epoch.
VALIDATION_SPLIT = 0.1


@dataclass(frozen=True)
class Settings:
    """The settings of a training.

    Attributes:
        epochs: the number of passes through the data.
        batch_size: the number of images in one step.
        seed: the seed of the weights, the order and the dropout; 0 to 2**32 - 1.
        network: a name in ``trainer.networks``.
        progress_bar: show Keras's bar, which needs a terminal. Otherwise each epoch
            prints one line.
    """

    epochs: int
    batch_size: int
    seed: int
    network: str = "cnn"
    progress_bar: bool = False


@dataclass(frozen=True)
class Training:
    """A fitted model, with its settings and measures.

    Attributes:
        model: it takes ``(N, H, W, C)`` and gives ``(N, num_classes)`` scores.
        settings: the settings of the training.
        history: Keras's metrics by name, with one value for each epoch.
        test_loss: the categorical cross-entropy over the test images.
        test_accuracy: the share of test images that are classified right, 0..1.
        scores: ``(N, num_classes)`` float32, the model's answers to the test images.
        seconds: the time that the fit took.
    """

    model: keras.Sequential
    settings: Settings
    history: dict[str, list[float]]
    test_loss: float
    test_accuracy: float
    scores: NDArray[np.float32]
    seconds: float

    @property
    def predicted(self) -> NDArray[np.int64]:
        """``(N,)`` int64, the model's class of each test image."""
        predicted: NDArray[np.int64] = self.scores.argmax(axis=1).astype(np.int64)
        return predicted


def train(
    data: DataSet, settings: Settings, check_stop: Callable[[], None] = lambda: None
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

    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    num_classes = len(data.labels)
    model = NETWORKS[settings.network](data.image_shape, num_classes)
    model.summary(print_fn=click.echo)

    # Keras takes the last tenth of the images for validation. In a folder of images,
    # these are the last class, which the training would then never see.
    order = np.random.default_rng(settings.seed).permutation(len(data.x_train))
    callbacks = [_progress(settings, check_stop)]
    started = time.monotonic()
    history = model.fit(
        data.x_train[order],
        keras.utils.to_categorical(data.y_train[order], num_classes),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_split=VALIDATION_SPLIT,
        verbose=1 if settings.progress_bar else 0,
        callbacks=callbacks,
    )
    seconds = time.monotonic() - started
    test_loss, test_accuracy = model.evaluate(
        data.x_test,
        keras.utils.to_categorical(data.y_test, num_classes),
        verbose=0,
        callbacks=callbacks,
    )
    # (N, num_classes)
    scores = model.predict(data.x_test, verbose=0, callbacks=callbacks)
    return Training(
        model=model,
        settings=settings,
        history={
            name: [float(value) for value in values]
            for name, values in history.history.items()
        },
        test_loss=float(test_loss),
        test_accuracy=float(test_accuracy),
        scores=scores,
        seconds=seconds,
    )


def _progress(
    settings: Settings, check_stop: Callable[[], None]
) -> keras.callbacks.Callback:
    import keras

    def print_epoch(epoch: int, logs: dict[str, float]) -> None:
        if not settings.progress_bar:
            metrics = " - ".join(f"{name} {logs[name]:.4f}" for name in sorted(logs))
            click.echo(f"epoch {epoch + 1}/{settings.epochs}: {metrics}")

    def check(batch: int, logs: object) -> None:
        check_stop()

    return keras.callbacks.LambdaCallback(
        on_epoch_end=print_epoch,
        on_train_batch_end=check,
        on_test_batch_end=check,
        on_predict_batch_end=check,
    )
