"""A model in training: its steps, and all that a resumed training needs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.augmentation import augment_of
from trainer.precision import scaled, twin_of
from trainer.samples import Samples, outputs_of
from trainer.settings import Settings
from trainer.split import stratified

if TYPE_CHECKING:
    import keras

    from trainer.batches import Batches

# A function that fits a model. It gets the model, the batches to train on and to
# measure on, the number of the first epoch from 0, and the callbacks. It ends after the
# last epoch, or as soon as the model's `stop_training` is true.
Fitting = Callable[
    ["keras.Model", "Batches", "Batches", int, "list[keras.callbacks.Callback]"], None
]
# This share of the training part is not trained on, but measures each epoch.
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Split:
    """The rows of the training part.

    Attributes:
        train: ``(N,)`` int64, the rows to train on.
        validation: ``(M,)`` int64, the rows that measure each epoch.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_of(data: Samples, seed: int) -> Split:
    """Hold out a part of each class for validation, or of all rows of a regression."""
    count = len(data.y_train)
    numbers = data.y_train
    if data.task == "regression":
        numbers = np.zeros(count, np.int64)
    held = stratified(numbers, VALIDATION_SHARE, seed)
    if not held.any():  # one row of each class
        held[np.random.default_rng(seed).integers(count)] = True
    return Split(np.flatnonzero(~held), np.flatnonzero(held))


@dataclass
class Best:
    """The epoch with the lowest loss on the validation part.

    Attributes:
        loss: its loss there.
        epoch: the epoch's number, from 1.
        weights: the weights after it.
    """

    loss: float
    epoch: int
    weights: list[NDArray[Any]]


class Learner:
    """Trains a model on one part of the training data, and measures it on another.

    Args:
        model: the model, with float32 weights, not compiled.
        data: the data set.
        settings: the settings of the training, all of them chosen.
        split: the rows to train on and to measure on.

    Attributes:
        model: the model, which has the weights of the training after ``run``.
        epoch: the number of epochs that are done.
        history: Keras's metrics by name, with one value for each epoch.
        seconds: the time that the epochs took.
        best: the best epoch so far; None without ``settings.patience``.
        ended: no further epoch follows, because patience ended.
    """

    def __init__(
        self, model: keras.Model, data: Samples, settings: Settings, split: Split
    ) -> None:
        self.model = model
        self.epoch = 0
        self.history: dict[str, list[float]] = {}
        self.seconds = 0.0
        self.best: Best | None = None
        self.ended = False
        self._data = data
        self._settings = settings
        self._train = batches_of(data, settings, split.train, in_training=True)
        self._validation = batches_of(data, settings, split.validation)
        self._twin = twin_of(model, settings.precision)
        optimizer = _optimizer(settings, len(self._train))
        compile_model(self._twin, data, scaled(optimizer, settings.precision))
        self._twin.optimizer.build(self._twin.trainable_variables)

    @property
    def steps(self) -> int:
        """The number of training steps of one epoch."""
        return len(self._train)

    @property
    def variables(self) -> list[keras.Variable]:
        """All numbers that the next epoch depends on: weights, moments and seeds."""
        return [*self._twin.variables, *self._twin.optimizer.variables]

    def run(
        self,
        callbacks: list[keras.callbacks.Callback],
        fit: Fitting | None = None,
    ) -> None:
        """Do the epochs that are left, and bring the weights into ``model``.

        Args:
            callbacks: are asked after the learner has noted an epoch.
            fit: does the epochs; None is Keras's own ``fit``.
        """
        if not self.ended and self.epoch < self._settings.epochs:
            told = [self._notes(), *callbacks]
            fit = fit or self._fit
            fit(self._twin, self._train, self._validation, self.epoch, told)
        if self.best is not None:
            self._twin.set_weights(self.best.weights)
        if self._twin is not self.model:
            self.model.set_weights(self._twin.get_weights())

    def compile_for_measures(self) -> None:
        """Compile ``model`` with its optimizer, for the test part and for its file."""
        optimizer = self._twin.optimizer
        if self._twin is not self.model:
            # The twin's optimizer holds the moments of the twin's weights.
            optimizer = _optimizer(self._settings, self.steps)
        compile_model(self.model, self._data, optimizer)

    def step(self, number: int) -> None:
        """Do one training step, which a rehearsal measures."""
        self._twin.train_on_batch(*self._train[number % self.steps])

    def _fit(
        self,
        model: keras.Model,
        train: Batches,
        validation: Batches,
        first: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        model.fit(
            train,
            epochs=self._settings.epochs,
            initial_epoch=first,
            validation_data=validation,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )

    def _notes(self) -> keras.callbacks.Callback:
        import keras

        started = time.monotonic()
        before = self.seconds

        def begin(epoch: int, logs: object) -> None:
            self._train.begin(epoch)

        def note(epoch: int, logs: dict[str, float]) -> None:
            self.epoch = epoch + 1
            self.seconds = before + time.monotonic() - started
            for name, value in logs.items():
                self.history.setdefault(name, []).append(float(value))
            if self._settings.patience is not None:
                self._note_best(self._settings.patience)
            self._twin.stop_training = self.ended

        return keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=note)

    def _note_best(self, patience: int) -> None:
        loss = self.history["val_loss"][-1]
        # Every comparison with NaN is false, so it is asked for by its name.
        if self.best is None or math.isnan(self.best.loss) or loss < self.best.loss:
            self.best = Best(loss, self.epoch, self._twin.get_weights())
        self.ended = self.epoch - self.best.epoch >= patience


def batches_of(
    data: Samples,
    settings: Settings,
    rows: NDArray[np.int64],
    *,
    in_training: bool = False,
) -> Batches:
    """Make batches of rows of the training part.

    Args:
        data: the data set.
        settings: the settings of the training.
        rows: ``(N,)`` int64, the rows.
        in_training: shuffle the rows in each epoch, and augment images.
    """
    from trainer.batches import Batches

    return Batches(
        data.x_train,
        data.y_train,
        data.w_train,
        rows,
        batch_size=settings.batch_size,
        num_classes=outputs_of(data) if data.task == "classes" else None,
        seed=settings.seed if in_training else None,
        augment=(
            augment_of(settings.augmentation or "none", settings.strength)
            if in_training
            else None
        ),
    )


def test_batches(data: Samples, settings: Settings) -> Batches:
    """Make batches of the whole test part, in its order."""
    from trainer.batches import Batches

    return Batches(
        data.x_test,
        data.y_test,
        data.w_test,
        np.arange(len(data.y_test)),
        batch_size=settings.batch_size,
        num_classes=outputs_of(data) if data.task == "classes" else None,
    )


def compile_model(
    model: keras.Model,
    data: Samples,
    optimizer: keras.optimizers.Optimizer,
) -> None:
    """Give a model the loss and the metric of its task.

    Args:
        model: the model.
        data: the data set.
        optimizer: the optimizer.
    """
    import keras

    if data.task == "classes":
        loss = keras.losses.CategoricalCrossentropy()
        metric = "accuracy"
    else:
        loss, metric = keras.losses.MeanSquaredError(), "mean_absolute_error"
    is_weighted = data.w_train is not None
    model.compile(
        loss=loss,
        optimizer=optimizer,
        loss_weights=None if data.task == "classes" else [loss_weight_of(data)],
        metrics=None if is_weighted else [metric],
        weighted_metrics=[metric] if is_weighted else None,
        # XLA makes the steps slower on a processor.
        jit_compile=False,
    )


def loss_weight_of(data: Samples) -> float:
    """Return the factor of the loss: a regression's is measured in variances of labels.

    A label in small or large units would make steps that are too small or too large.
    """
    if data.task == "classes":
        return 1.0
    variance = float(data.y_train.var(dtype=np.float64))
    return 1 / variance if variance > 0 else 1.0


def _optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    import keras

    rate = settings.learning_rate
    if settings.recipe == "quick":
        return keras.optimizers.Adam(rate)
    return keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(rate, steps * settings.epochs)
    )


def stopper(check_stop: Callable[[], None]) -> keras.callbacks.Callback:
    """Make a callback that asks after every step whether to end."""
    import keras

    def check(batch: int, logs: object) -> None:
        check_stop()

    return keras.callbacks.LambdaCallback(
        on_train_batch_end=check, on_test_batch_end=check, on_predict_batch_end=check
    )
