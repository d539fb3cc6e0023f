"""The work of each worker of Ray: it trains its copy of the model; rank 0 keeps it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
from numpy.typing import NDArray
from ray.train.collective import broadcast_from_rank_zero

from trainer.engine import import_engine
from trainer.learner import Learner, split_of
from trainer.ray.network import read_network
from trainer.ray.storage import FILE_NAME, Storage, folder_name
from trainer.saved import restore, write_saved
from trainer.settings import Settings
from trainer.trials import Trial


@dataclass(frozen=True)
class Epoch:
    """The news that an epoch is done and kept.

    Attributes:
        number: its number, from 0.
        logs: its figures by their names.
    """

    number: int
    logs: Mapping[str, float]


@dataclass(frozen=True)
class Broken:
    """The news that a worker failed by itself, so that no new start would help.

    Attributes:
        reason: the error's text.
    """

    reason: str


@dataclass(frozen=True)
class Work:
    """The work of all workers.

    Attributes:
        data: a reference to the data set in Ray's memory.
        network: the layers of the network; see ``trainer.ray.network``.
        weights: the weights that the training begins with.
        settings: the settings of the training.
        trials: the trials before it.
        order: the options that decide the weights.
        storage: the place and the name of the states.
        cpus: the processors of a worker.
        events: a queue of Ray, which gets each ``Epoch`` and perhaps a ``Broken``.
        verbose: show TensorFlow's messages.
    """

    data: Any
    network: Mapping[str, Any]
    weights: list[NDArray[Any]]
    settings: Settings
    trials: tuple[Trial, ...]
    order: Mapping[str, Any]
    storage: tuple[str, str]
    cpus: int
    events: Any
    verbose: bool


def train_in_worker(given: dict[str, Work]) -> None:
    """Train; ``given`` has one ``Work`` under the name ``work``, as Ray wants it."""
    work = given["work"]
    import_engine(work.verbose)
    import tensorflow as tf

    try:
        _train(work)
    # The workers that are left cannot add up gradients. Ray starts all of them again.
    except (tf.errors.OpError, ray.exceptions.RayError):
        raise
    # The same error would come again and again, half a minute after each start.
    except Exception as ex:
        work.events.put(Broken(f"{type(ex).__name__}: {ex}"))
        raise


def _train(work: Work) -> None:
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(work.cpus)
    tf.config.experimental.enable_op_determinism()
    # The strategy must come before TensorFlow computes anything.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    from trainer.ray.fit import Fit

    rank = ray.train.get_context().get_world_rank()
    settings = work.settings
    data = ray.get(work.data)
    storage = Storage(*work.storage)
    # Rank 0 decides, because a folder on a network may show others an earlier state.
    begun = storage.newest() if rank == 0 else None
    # Ray would replace a reference by its value, which is too large to be sent so. One
    # in a list stays a reference.
    (begun_ref,) = broadcast_from_rank_zero([ray.put(begun) if begun else None])
    with strategy.scope():
        keras.utils.set_random_seed(settings.seed)
        model = read_network(work.network)
        model.set_weights(work.weights)
        learner = Learner(model, data, settings, split_of(data, settings.seed))
        if begun_ref is not None:
            restore(learner, ray.get(begun_ref))

    def keep(epoch: int, logs: dict[str, float]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with (Path(folder) / FILE_NAME).open("wb") as stream:
                write_saved(stream, work.order, learner, settings, work.trials)
            ray.train.report(
                dict(logs),
                ray.train.Checkpoint.from_directory(folder),
                checkpoint_dir_name=folder_name(learner.epoch),
            )
        # An epoch is told of as soon as it cannot be lost.
        work.events.put(Epoch(epoch, dict(logs)))

    def wait(epoch: int, logs: dict[str, float]) -> None:
        # All workers report, because none may begin the next epoch before the others.
        ray.train.report({})

    kept = keras.callbacks.LambdaCallback(on_epoch_end=wait if rank else keep)
    learner.run([kept], Fit(strategy, data, settings, rank))
