"""The loop of a worker gives what Keras's own ``fit`` gives, where there is one worker.

``tests/end_to_end/cluster/`` runs the loop with several.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trainer.data import DataSet
from trainer.learner import Learner, split_of
from trainer.samples import Samples
from trainer.settings import Settings

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.tensorflow

SETTINGS = Settings(epochs=3, batch_size=64, seed=7)


@dataclasses.dataclass(frozen=True)
class Rows:
    """A few rows with weights, as a table has them."""

    x_train: Any
    y_train: Any
    w_train: Any
    x_test: Any
    y_test: Any
    w_test: Any
    labels: tuple[str, ...]
    task: Any


def _images(few_data: DataSet) -> Samples:
    return few_data


def _regression(few_data: DataSet) -> Samples:
    generator = np.random.default_rng(3)
    x = {"row": generator.normal(size=(150, 28)).astype(np.float32)}
    y = x["row"].sum(axis=1) * 50
    weights = generator.uniform(0, 2, 150).astype(np.float32)
    return Rows(x, y, weights, x, y, weights, (), "regression")


def _learner(data: Samples) -> Learner:
    """Build a network that is regularized and has a normalization of batches."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SETTINGS.seed)
    x = data.x_train
    shape = (x["row"] if isinstance(x, dict) else x).shape[1:]
    is_classes = data.task == "classes"
    network = keras.Sequential(
        [
            keras.Input(shape),
            layers.Rescaling(1 / 255 if is_classes else 1.0),
            layers.Flatten(),
            layers.BatchNormalization(momentum=0.5),
            layers.Dense(
                10 if is_classes else 1,
                activation="softmax" if is_classes else None,
                kernel_regularizer=keras.regularizers.L2(0.01),
            ),
        ]
    )
    return Learner(network, data, SETTINGS, split_of(data, SETTINGS.seed))


@pytest.mark.parametrize("make", [_images, _regression])
def test_the_loop_does_what_keras_does(
    tensorflow: None, few_data: DataSet, make: Any
) -> None:
    import tensorflow as tf

    from trainer.ray.fit import Fit

    data = make(few_data)
    expected = _learner(data)
    expected.run([])
    learner = _learner(data)
    learner.run([], Fit(tf.distribute.get_strategy(), data, SETTINGS, 0))
    assert learner.epoch == 3
    assert learner.history.keys() == expected.history.keys()
    for name, values in expected.history.items():
        np.testing.assert_allclose(learner.history[name], values, 1e-4, err_msg=name)
    for ours, theirs in zip(
        learner.model.get_weights(), expected.model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, 1e-4, 1e-5)


def test_patience_ends_the_loop(tensorflow: None, few_data: DataSet) -> None:
    import tensorflow as tf

    from trainer.ray.fit import Fit

    learner = _learner(few_data)

    def stop(epoch: int, logs: object) -> None:
        learner.model.stop_training = True

    fit = Fit(tf.distribute.get_strategy(), few_data, SETTINGS, 0)
    learner.run([_after_epoch(stop)], fit)
    assert learner.epoch == 1


def test_each_worker_has_a_dropout_of_its_own_in_each_epoch(
    tensorflow: None, few_data: DataSet
) -> None:
    """And the seeds of an epoch do not depend on the epochs before it."""
    import tensorflow as tf

    from trainer.networks.build import build_network
    from trainer.ray.fit import Fit

    model = build_network(few_data, "cnn", 0.25)
    (state,) = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    strategy = tf.distribute.get_strategy()
    seeds = {}
    for rank in (0, 1):
        fit = Fit(strategy, few_data, SETTINGS, rank)
        for epoch in (1, 0, 1):
            fit.seed(model, epoch)
            seed = tuple(state.numpy().tolist())
            assert seeds.setdefault((rank, epoch), seed) == seed
    assert len(set(seeds.values())) == 4


def _after_epoch(do: Any) -> keras.callbacks.Callback:
    import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=do)
