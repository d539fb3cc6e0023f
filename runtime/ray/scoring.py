"""Scoring on a cluster: Ray Data hands parts of the input to processes with the model.

Ray Data starts the processes, keeps as many parts on their way as they can take, and
asks another process when one is lost. A part that is done is in the output, and is not
scored again; see ``runtime.ray.output``.
"""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset, Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.exceptions import RayError
from ray.util.annotations import RayDeprecationWarning

from bundle.errors import DomainError
from bundle.terminal import quiet_stderr
from runtime.admin.errors import WorkFailed
from runtime.ray.output import Done
from runtime.ray.parts import Cutting
from runtime.ray.scorer import Failure, Order, PartScorer, failure_of
from runtime.ray.workers import Workers

# A part that has cost so many processes their lives does not fit into the memory.
_RETRIES = 5
# A process is started again so often in a run. Without a bound, one that is killed
# during its start, before it has a part, would be started for ever.
_RESTARTS = 10


def scored(
    workers: Workers, count: int, order: Order, cutting: Cutting
) -> Iterator[Done | Failure]:
    """Have parts scored by the cluster that is connected, and give each when done.

    Args:
        workers: the processors and GPUs that each process takes.
        count: the number of processes.
        order: their work.
        cutting: the parts.

    Raises:
        WorkFailed: processes were lost too often, or failed.
    """
    # Parts are made here, because a table need not be on the other nodes.
    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    with _settings():
        rows = ray.data.read_datasource(
            _Parts(cutting),
            override_num_blocks=1,
            num_cpus=0,
            label_selector=here,
            ray_remote_args={"max_retries": _RETRIES},
        ).map_batches(
            _Actor,
            batch_size=1,
            batch_format="pyarrow",
            fn_constructor_args=(order,),
            compute=ActorPoolStrategy(size=count),
            num_cpus=workers.cpus,
            num_gpus=workers.gpus or None,
            max_restarts=_RESTARTS,
            max_task_retries=_RETRIES,
        )
    try:
        yield from _answers(rows)
    except RayError as ex:
        raise WorkFailed(
            "a process of the cluster was lost several times, or failed; if the memory"
            " of a node was full, take fewer --workers or a smaller --batch. Ray says:"
            f" {_first_line(ex)}"
        ) from ex


def _answers(rows: Dataset) -> Iterator[Done | Failure]:
    """Have the parts scored, and give what the processes answer."""
    answers = iter(rows.iter_rows())
    # Ray starts the processes here, and writes a line for its developers about each
    # that it may start again.
    with quiet_stderr():
        first = list(islice(answers, 1))
    for row in chain(first, answers):
        yield pickle.loads(row["answer"])


class _Parts(Datasource):
    """The parts of an input, which one task makes as they are needed."""

    def __init__(self, cutting: Cutting) -> None:
        # The names of a million pictures would be too much for the task itself.
        self._cutting = ray.put(cutting)
        self._folder = Path.cwd()

    def estimate_inmemory_data_size(self) -> int | None:
        """See ``Datasource``."""
        return None

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        """See ``Datasource``."""
        cutting, folder = self._cutting, self._folder

        def read() -> Iterable[pa.Table]:
            try:
                for number, content in ray.get(cutting).parts(folder):
                    yield _row(number=number, content=content)
            except DomainError as ex:
                yield _row(number=-1, content=[pickle.dumps(failure_of(ex))])

        told = BlockMetadata(
            num_rows=None, size_bytes=None, input_files=None, exec_stats=None
        )
        return [ReadTask(read, told)]


class _Actor:
    """A process of Ray Data that scores parts; see ``PartScorer``."""

    def __init__(self, order: Order) -> None:
        self._scorer = PartScorer(order)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Score the part of the only row."""
        ((number,), (content,)) = (batch[n].to_pylist() for n in ("number", "content"))
        if number < 0:
            return _row(answer=content[0])
        return _row(answer=pickle.dumps(self._scorer.score(number, content)))


def _row(**values: Any) -> pa.Table:
    return pa.table({name: [value] for name, value in values.items()})


@contextmanager
def _settings() -> Iterator[None]:
    """Set Ray Data for what is planned in the block."""
    context = DataContext.get_current().copy()
    # Blocks of a row each: Ray Data would join parts up to 128 MiB, and then one
    # process would score them all.
    context.target_max_block_size = 1
    context.enable_progress_bars = False
    # The command tells the outcome in one sentence; Ray's log has the rest.
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)
    with DataContext.current(context), warnings.catch_warnings():
        # Ray 2.60 has no other arguments yet for the restarts of lost processes.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        yield


def _first_line(ex: RayError) -> str:
    """Return what is wrong; the other lines of Ray's texts are traces and advice."""
    cause = getattr(ex, "cause", None) or ex
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0][:300]
