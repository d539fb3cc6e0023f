"""Ray Train's private parts are as they were; no cluster is needed to see it.

If a test fails after an update, see trainer/ray/internals.py, and then the dependency's
range in pyproject.toml. Ray is imported by the tests, and not with this file, because
that takes seconds.
"""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from trainer.ray.internals import CONTROLLER, UNSEEN, kill_controller

pytestmark = pytest.mark.slow  # Ray opens a socket when it is imported

JOB = "01000000"


@pytest.mark.tensorflow
def test_the_trainer_starts_a_controller_of_this_name() -> None:
    from ray.train.tensorflow import TensorflowTrainer
    from ray.train.v2.api import data_parallel_trainer

    assert issubclass(TensorflowTrainer, data_parallel_trainer.DataParallelTrainer)
    assert data_parallel_trainer.TrainController.__name__ == CONTROLLER


def test_the_text_of_an_error_has_the_words_by_which_it_is_known() -> None:
    from ray.train.v2._internal.execution.storage import StorageContext

    assert UNSEEN in inspect.getsource(StorageContext._check_validation_file)


def test_actors_are_listed_with_their_classes() -> None:
    from ray._private import state
    from ray.core.generated.gcs_pb2 import ActorTableData

    assert "job_id" in inspect.signature(state.actors).parameters
    told = state.GlobalState()._gen_actor_info(ActorTableData(class_name="Queue"))
    assert told["ActorClassName"] == "Queue"


def test_a_driver_can_kill_an_actor_by_its_number() -> None:
    from ray._private import worker
    from ray._raylet import CoreWorker

    parameters = [*inspect.signature(CoreWorker.kill_actor).parameters]
    assert parameters == ["self", "actor_id", "no_restart"]
    assert "self.core_worker" in inspect.getsource(worker.Worker)
    assert isinstance(worker.global_worker, worker.Worker)


def test_only_the_controller_of_this_job_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray
    from ray._private import state, worker

    controller, queue = "a" * 32, "b" * 32
    table = {
        controller: {"ActorClassName": "TrainController"},
        queue: {"ActorClassName": "_QueueActor"},
    }
    asked: list[Any] = []
    killed: list[tuple[Any, bool]] = []

    class Core:
        def kill_actor(self, actor_id: Any, no_restart: bool) -> None:
            killed.append((actor_id, no_restart))

    def actors(*, job_id: Any) -> dict[str, dict[str, str]]:
        asked.append(job_id)
        return table

    context = SimpleNamespace(get_job_id=lambda: JOB)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(state, "actors", actors)
    monkeypatch.setattr(worker.global_worker, "core_worker", Core(), raising=False)
    kill_controller()
    assert asked == [ray.JobID.from_hex(JOB)]
    assert killed == [(ray.ActorID.from_hex(controller), True)]
