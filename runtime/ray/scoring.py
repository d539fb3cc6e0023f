"""Scoring on a cluster: Ray Data hands parts of the input to processes with the model.

Ray Data starts the processes, keeps as many parts on their way as they can take, and
asks another process when one is lost. A part that is done is in the output, and is not
scored again; see ``runtime.ray.output``.
"""

from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.exceptions import RayError

from bundle.errors import DomainError
from bundle.objects.address import Place
from runtime.admin.errors import AdminError, WorkFailed
from runtime.config import Config
from runtime.ray.output import Before, Done, PartFolder
from runtime.ray.parts import cut, items_of_part
from runtime.ray.rejects import RejectsFile
from runtime.ray.scorer import (
    Failure,
    Order,
    PartScorer,
    failure_of,
    unlike,
    variables_of,
)
from runtime.ray.workers import Workers
from runtime.scoring.chunks import Source
from runtime.scoring.facts import Facts
from runtime.scoring.local import LocalModel
from runtime.scoring.pictures import PictureFiles
from runtime.scoring.run import Outcome, Tell

# A part that has cost so many processes their lives does not fit into the memory.
_RETRIES = 5


@dataclass(frozen=True)
class ClusterRun:
    """A run that was prepared; see ``runtime.scoring.run.Run``.

    Attributes:
        source: the input.
        facts: the model.
        model: the same, as this machine opens it.
        config: the settings.
        output: the folder of the output.
        rejects: the file of the rejected items.
        size: the most items of a chunk.
        settings: the settings on which the rows depend.
        workers: the processes that score.
        inputs: what was typed as the input.
    """

    source: Source
    facts: Facts
    model: LocalModel
    config: Config
    output: PartFolder
    rejects: RejectsFile
    size: int
    settings: str
    workers: Workers
    inputs: tuple[Place, ...]

    @property
    def plan(self) -> dict[str, str]:
        """What may not change in the middle of a run; see ``Spool.opened``."""
        return {
            "input": self.source.identity,
            "model": f"{self.facts.spec} {self.facts.digest}",
            "settings": self.settings,
        }

    def look(self, *, resume: bool, force: bool) -> Before | None:
        """Look whether the run may begin or go on, for which no cluster is needed.

        Args:
            resume: see ``PartFolder.look``.
            force: see ``PartFolder.look``.

        Raises:
            AdminError, WorkFailed: see ``PartFolder.look``.
        """
        before = self.output.look(self.plan, resume=resume, force=force)
        if not (before or force):
            self.rejects.check_free()
        return before

    def go(self, before: Before | None, tell: Tell) -> Outcome:
        """Score what is not scored yet, by the cluster that is connected.

        Args:
            before: the ended run with which this one goes on, if any.
            tell: a function that is told after each part that is done.

        Raises:
            AdminError: the input or the command is wrong. Nothing is left of the run.
            WorkFailed: the work failed; the done part is kept.
        """
        begun = time.monotonic()
        count = self.workers.counted()
        if before is None:
            items = items_of_part(self.source.total, self.size, count)
            before = Before(items, [])
        ticket = self.output.begin(self.plan, before)
        parts = {part.number: part for part in before.done}
        done = kept = sum(part.items for part in before.done)
        rejected = sum(len(part.rejected) for part in before.done)
        try:
            for part in self._parts(count, before.items, ticket, frozenset(parts)):
                parts[part.number] = part
                done += part.items
                rejected += len(part.rejected)
                self.output.kept = done
                tell(done, rejected)
            self._check(parts, done)
        except AdminError:
            self.output.drop()
            raise
        ordered = [parts[number] for number in sorted(parts)]
        self.rejects.write(item for part in ordered for item in part.rejected)
        figures = {"model": self.facts.spec, "items": done, "rejected": rejected}
        self.output.finish(ordered, figures)
        return Outcome(done - rejected, rejected, time.monotonic() - begun, kept)

    def _check(self, parts: dict[int, Done], done: int) -> None:
        if done != self.source.total or sorted(parts) != list(range(len(parts))):
            raise AdminError(
                f"the input changed while it was scored: it gave {done} items in place"
                f" of {self.source.total}"
            )
        if len({part.head for part in parts.values() if part.head}) > 1:
            raise unlike()

    def _parts(
        self, count: int, items: int, ticket: str, done: frozenset[int]
    ) -> Iterator[Done]:
        """Have the parts scored, and give each when it is done, in any order."""
        version = self.model.version
        placed = replace(version, path=version.path.absolute())
        config = self.config
        order = Order(
            config,
            replace(self.model, version=placed),
            self.facts,
            self.source.kept,
            _absolute(self.output.out),
            ticket,
            self._shared(),
            variables_of(os.environ),
        )
        parts = _Parts(self.source, self.size, items, done)
        # Parts are made here, because a table need not be on the other nodes.
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
        with _settings():
            rows = ray.data.read_datasource(
                parts,
                override_num_blocks=1,
                num_cpus=0,
                label_selector=here,
            ).map_batches(
                _Actor,
                batch_size=1,
                batch_format="pyarrow",
                fn_constructor_args=(order,),
                compute=ActorPoolStrategy(size=count),
                num_cpus=self.workers.cpus,
                num_gpus=self.workers.gpus or None,
                max_restarts=-1,
                max_task_retries=_RETRIES,
            )
        try:
            for row in rows.iter_rows():
                answer = pickle.loads(row["answer"])
                if isinstance(answer, Failure):
                    raise answer.error()
                yield answer
        except RayError as ex:
            raise WorkFailed(
                "a process of the cluster was lost several times, or failed; if the"
                " memory of a node was full, take fewer --workers or a smaller --batch."
                f" Ray says: {_first_line(ex)}"
            ) from ex

    def _shared(self) -> tuple[str, ...]:
        """Return what all nodes must have, because pictures are read there."""
        if not isinstance(self.source, PictureFiles):
            return ()
        return tuple(
            str(place.absolute()) for place in self.inputs if isinstance(place, Path)
        )


class _Parts(Datasource):
    """The parts of an input, which one task makes as they are needed."""

    def __init__(
        self, source: Source, size: int, items: int, done: frozenset[int]
    ) -> None:
        # The names of a million pictures would be too much for the task itself.
        self._source = ray.put(source)
        self._cut = (size, items, done, Path.cwd())

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
        source, how = self._source, self._cut

        def read() -> Iterable[pa.Table]:
            try:
                for number, content in cut(ray.get(source), *how):
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
    with DataContext.current(context):
        yield


def _absolute(place: Place) -> Place:
    return place.absolute() if isinstance(place, Path) else place


def _first_line(ex: RayError) -> str:
    """Return what is wrong; the other lines of Ray's texts are traces and advice."""
    cause = getattr(ex, "cause", None) or ex
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0][:300]
