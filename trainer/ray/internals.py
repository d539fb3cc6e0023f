"""Private parts of Ray Train: the process that controls the workers, and an error.

Ray gives the controller no name to find it by, and its trainer gives no handle. A task
of Ray around the trainer could be cancelled in public, but would be one more process
that imports TensorFlow, which takes seconds and half a gigabyte.

This file and ``runtime/ray/internals.py`` are the only ones that name private parts of
Ray. pyproject.toml admits the version that was tried, and
``tests/trainer/ray/test_internals.py`` fails if a version differs.
"""

from __future__ import annotations

from typing import Any

# The name of the controller's class.
CONTROLLER = "TrainController"
# This stands in the text of the error of a worker that does not see the checkpoints'
# folder, and the error has no class of its own.
UNSEEN = "Unable to set up cluster storage"


def kill_controller() -> None:
    """Kill the process that controls the workers of this job; they end with it."""
    import ray
    from ray._private.state import actors
    from ray._private.worker import global_worker

    # Ray's own types of these are wider, or missing.
    job: Any = ray.JobID.from_hex(ray.get_runtime_context().get_job_id())
    found: Any = actors(job_id=job)
    worker: Any = global_worker
    for number, actor in found.items():
        if CONTROLLER in actor["ActorClassName"]:
            worker.core_worker.kill_actor(ray.ActorID.from_hex(number), True)
