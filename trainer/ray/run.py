"""The driver of a training on Ray: it starts the workers, and waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from runtime.ray.cluster import connected
from trainer.errors import ClusterFailed
from trainer.fleet import OPTION, Fleet
from trainer.learner import Learner
from trainer.ray.internals import UNSEEN, kill_controller
from trainer.ray.network import write_network
from trainer.ray.storage import Storage
from trainer.samples import Samples
from trainer.saved import restore
from trainer.settings import Settings
from trainer.trials import Trial

if TYPE_CHECKING:
    import keras

# Ray starts lost workers again so many times, and --resume goes on after that.
_FAILURES = 5
# The driver looks so often, in seconds, whether it shall end.
_LOOK = 0.5
# A killed controller ends ``fit`` in a second; a cluster that is lost may not.
_PATIENCE = 30.0


class RayTraining:
    """A training by the workers of Ray.

    Args:
        fleet: the workers.
        storage: the states of the training.
        order: the options that decide the weights.
        data: the data set, whose rows lie in memory.
        verbose: show what TensorFlow and the workers print.
    """

    def __init__(
        self,
        fleet: Fleet,
        storage: Storage,
        order: Mapping[str, Any],
        data: Samples,
        verbose: bool,
    ) -> None:
        self._fleet = fleet
        self._storage = storage
        self._order = order
        self._data = data
        self._verbose = verbose

    def run(
        self,
        learner: Learner,
        settings: Settings,
        trials: tuple[Trial, ...],
        callbacks: list[keras.callbacks.Callback],
        check_stop: Callable[[], None],
    ) -> None:
        """Train the model of ``learner``, which gets the state after the last epoch.

        Args:
            learner: the model before the training.
            settings: the settings of the training.
            trials: the trials before it.
            callbacks: are told of each epoch.
            check_stop: is called again and again; it raises to end the training.

        Raises:
            ArchitectureError: the network has a layer whose code the workers lack.
            Failed: the cluster cannot be reached.
            ClusterFailed: the workers failed too often.
        """
        import ray

        fleet = self._fleet
        network = write_network(learner.model)
        with connected(
            OPTION,
            fleet.address or "",
            shows_logs=self._verbose,
            cpus=fleet.workers * fleet.cpus,
        ):
            try:
                self._fit(network, learner, settings, trials, callbacks, check_stop)
            except ray.exceptions.RayError as ex:
                raise self._failed(str(ex)) from ex
        saved = self._storage.newest()
        if saved is None:
            raise ClusterFailed(self._unseen)
        restore(learner, saved)
        # No epoch is left; this takes the weights of the best one.
        learner.run([])

    def _fit(
        self,
        network: Mapping[str, Any],
        learner: Learner,
        settings: Settings,
        trials: tuple[Trial, ...],
        callbacks: list[keras.callbacks.Callback],
        check_stop: Callable[[], None],
    ) -> None:
        import keras
        import ray
        from ray.util.queue import Empty, Queue

        from trainer.ray.worker import Broken, Work

        self._warn_of_few_processors()
        events = Queue(actor_options={"num_cpus": 0})
        work = Work(
            data=ray.put(self._data),
            network=network,
            weights=learner.model.get_weights(),
            settings=settings,
            trials=trials,
            order=self._order,
            storage=(self._storage.place, self._storage.name),
            cpus=self._fleet.cpus,
            events=events,
            verbose=self._verbose,
        )
        run = _Run(self._trainer(work))
        told = keras.callbacks.CallbackList(callbacks, model=learner.model)
        told.on_train_begin()
        try:
            while True:
                ended = not run.is_alive()
                try:
                    news = events.get(block=not ended, timeout=_LOOK)
                except Empty:
                    if ended:
                        break
                    check_stop()
                    continue
                if isinstance(news, Broken):
                    raise ClusterFailed(f"a worker failed: {_reason(news.reason)}")
                learner.epoch, learner.seconds = news.number + 1, news.seconds
                told.on_epoch_begin(news.number)
                # A bar moves by the steps, of which the workers tell nothing.
                for step in range(learner.steps):
                    told.on_train_batch_end(step)
                told.on_epoch_end(news.number, dict(news.logs))
                check_stop()
        finally:
            run.end()
        told.on_train_end()
        if run.error is not None:
            raise self._failed(str(run.error)) from run.error

    def _trainer(self, work: Any) -> Any:
        from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
        from ray.train.tensorflow import TensorflowTrainer

        from trainer.ray.worker import train_in_worker

        return TensorflowTrainer(
            train_in_worker,
            train_loop_config={"work": work},
            scaling_config=ScalingConfig(
                num_workers=self._fleet.workers,
                resources_per_worker={"CPU": self._fleet.cpus},
                # The workers go to as many machines as there are.
                placement_strategy="SPREAD",
            ),
            run_config=RunConfig(
                name=self._storage.name,
                storage_path=self._storage.place,
                failure_config=FailureConfig(max_failures=_FAILURES),
                # If the newest state is not whole, the one before is needed.
                checkpoint_config=CheckpointConfig(num_to_keep=2),
            ),
        )

    def _warn_of_few_processors(self) -> None:
        import ray

        needed = self._fleet.workers * self._fleet.cpus
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        there = int(resources.get("CPU", 0))
        if there < needed:
            click.echo(
                f"warning: the cluster has {there} processors and the workers need"
                f" {needed}; Ray waits until it has more",
                err=True,
            )

    def _failed(self, text: str) -> ClusterFailed:
        if UNSEEN in text:
            return ClusterFailed(self._unseen)
        return ClusterFailed(
            f"the training on Ray failed, and was begun again {_FAILURES} times;"
            f" --verbose shows what the workers print: {_reason(text)}"
        )

    @property
    def _unseen(self) -> str:
        return (
            f"not all workers can write the checkpoints to {self._storage.place};"
            " give a folder that all machines share, or a bucket, with --ray-storage"
        )


class _Run(threading.Thread):
    """``fit`` in a thread, because the main thread must hear Ctrl-C meanwhile.

    Attributes:
        error: the error with which it ended.
    """

    def __init__(self, trainer: Any) -> None:
        super().__init__(daemon=True)
        self._trainer = trainer
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """See ``threading.Thread``."""
        try:
            self._trainer.fit()
        # Ray's errors have many kinds, and the driver translates all of them.
        except Exception as ex:
            self.error = ex

    def end(self) -> None:
        """End ``fit`` if it still runs.

        If a thread asks Ray after the connection has ended, Ray's C++ code ends the
        process at once, and the command's own sentence is lost.
        """
        if self.is_alive():
            kill_controller()
            self.join(_PATIENCE)


def _reason(text: str) -> str:
    """Return the last line of an error's text, which says what happened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason was given"
