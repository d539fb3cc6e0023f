"""The training loop of one worker of several, in place of Keras's ``fit``.

``fit`` and ``evaluate`` of Keras 3 fail under MultiWorkerMirroredStrategy, so the steps
are written out here. Each step takes the same batch as a training by one process, and
each worker computes its share of the batch. Keras's optimizer adds the gradients of all
workers up, so all of them always have the same weights.

Source: https://github.com/keras-team/keras/issues/20585.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.batches import Batches
from trainer.learner import loss_weight_of
from trainer.ray.shares import cut, share_of
from trainer.samples import Samples
from trainer.settings import Settings

# Numpy's generators and Keras's seeds take whole numbers below this one.
_SEEDS = 1 << 32


class Fit:
    """Trains one worker's copy of a model, together with the other workers.

    Args:
        strategy: the strategy under which the model was built.
        data: the data set, which all workers have.
        settings: the settings of the training.
        rank: this worker's number, from 0.
    """

    def __init__(
        self, strategy: Any, data: Samples, settings: Settings, rank: int
    ) -> None:
        self._strategy = strategy
        self._settings = settings
        self._rank = rank
        self._workers = settings.workers
        self._is_classes = data.task == "classes"
        self._weight = loss_weight_of(data)
        self._loss: Any = (
            keras.losses.CategoricalCrossentropy(reduction="none")
            if self._is_classes
            else keras.losses.MeanSquaredError(reduction="none")
        )

    def __call__(
        self,
        model: keras.Model,
        train: Batches,
        validation: Batches,
        first: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Do the epochs from number ``first`` on; see ``trainer.learner.Fitting``."""
        told = keras.callbacks.CallbackList(callbacks, model=model)
        step = self._compiled(model, self._train_step)
        measure = self._compiled(model, self._measure_step)
        model.stop_training = False
        told.on_train_begin()
        for epoch in range(first, self._settings.epochs):
            told.on_epoch_begin(epoch)
            self.seed(model, epoch)
            logs = self._pass(step, train, told)
            self._average(model)
            for name, value in self._pass(measure, validation).items():
                logs[f"val_{name}"] = value
            told.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        told.on_train_end()

    def _compiled(self, model: keras.Model, step: Any) -> Any:
        """Make a graph of a step, which gives this worker's four sums."""

        def run(x: Any, y: Any, weights: Any, count: Any) -> Any:
            return self._strategy.run(step, args=(model, x, y, weights, count))

        return tf.function(run, reduce_retracing=True, autograph=False)

    def _pass(
        self,
        step: Any,
        batches: Batches,
        told: keras.callbacks.CallbackList | None = None,
    ) -> dict[str, float]:
        """Go through all batches, and return the loss and the metric over them.

        A batch with fewer rows than workers is passed over, because a worker without
        rows could not compute its part. This can only be the last one.
        """
        sums = np.zeros(4)
        for number in range(len(batches)):
            batch = batches[number]
            count = len(batch[1])
            if count < self._workers:
                continue
            share = share_of(count, self._rank, self._workers)
            x, y, *rest = cut(batch, share)
            weights = rest[0] if rest else np.ones(len(y), np.float32)
            rows = y if self._is_classes else y[:, np.newaxis]
            sums += step(x, rows, weights, tf.constant(count, tf.float32)).numpy()
            if told is not None:
                told.on_train_batch_end(number)
        loss, count, metric, weight = self._sum_up(sums)
        name = "accuracy" if self._is_classes else "mean_absolute_error"
        return {"loss": float(loss / count), name: float(metric / weight)}

    def _train_step(
        self, model: keras.Model, x: Any, y: Any, weights: Any, count: Any
    ) -> Any:
        optimizer = model.optimizer
        with tf.GradientTape() as tape:
            answers = model(x, training=True)
            loss = self._loss_of(model, answers, y, weights, count)
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return self._sums(answers, y, weights, loss * count)

    def _measure_step(
        self, model: keras.Model, x: Any, y: Any, weights: Any, count: Any
    ) -> Any:
        answers = model(x, training=False)
        loss = self._loss_of(model, answers, y, weights, count)
        return self._sums(answers, y, weights, loss * count)

    def _loss_of(
        self, model: keras.Model, answers: Any, y: Any, weights: Any, count: Any
    ) -> Any:
        """Return this worker's part of the loss; the parts of all workers add up to it.

        Keras's own loss is the weighted sum over a batch, divided by its rows.
        """
        loss = tf.reduce_sum(self._loss(y, answers) * weights) * self._weight / count
        if model.losses:
            loss += tf.add_n(model.losses) / self._workers
        return loss

    def _sums(self, answers: Any, y: Any, weights: Any, loss: Any) -> Any:
        """Return ``(4,)`` float32: sums of the loss, rows, metric and weights."""
        if self._is_classes:
            hits = tf.equal(tf.argmax(y, axis=-1), tf.argmax(answers, axis=-1))
            metric = tf.cast(hits, tf.float32)
        else:
            metric = tf.abs(y - answers)[:, 0]
        rows = tf.cast(tf.shape(answers)[0], tf.float32)
        total = tf.reduce_sum(weights)
        return tf.stack([loss, rows, tf.reduce_sum(metric * weights), total])

    def _sum_up(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up the sums of all workers."""
        given = tf.constant(sums, tf.float64)
        summed = self._strategy.reduce("SUM", given, axis=None)
        found: NDArray[np.float64] = summed.numpy()
        return found

    def seed(self, model: keras.Model, epoch: int) -> None:
        """Give the layers seeds of this epoch and of this worker.

        Workers with one seed would drop the same units. The seeds follow from the
        numbers, so a worker that is started again has them, too.
        """
        generator = np.random.default_rng((self._settings.seed, epoch, self._rank))
        for state in _seed_states(model):
            seed = generator.integers(_SEEDS, dtype=np.uint32)
            # The second number counts the draws.
            state.assign(np.array([seed, 0], np.uint32))

    def _average(self, model: keras.Model) -> None:
        """Average what each worker has seen of its own shares.

        This is the moving mean and variance of a batch normalization. All else is the
        same on all workers.
        """
        seeds = {id(state) for state in _seed_states(model)}
        with self._strategy.scope():
            for variable in model.non_trainable_variables:
                if id(variable) in seeds or "float" not in variable.dtype:
                    continue
                own = tf.constant(variable.numpy())
                variable.assign(self._strategy.reduce("MEAN", own, axis=None))


def _seed_states(model: keras.Model) -> list[keras.Variable]:
    """Return the states of the generators of chance, such as those of dropout."""
    known = {id(weight) for weight in model.weights}
    return [state for state in model.variables if id(state) not in known]
