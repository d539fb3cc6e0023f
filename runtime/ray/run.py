"""A run on a cluster: parts of the input are scored, and their rows put together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from bundle.objects.address import Place
from runtime.admin.errors import AdminError
from runtime.config import Config
from runtime.ray.output import Before, Done, PartFolder
from runtime.ray.parts import Cutting, items_of_part
from runtime.ray.rejects import RejectsFile
from runtime.ray.scorer import Failure, Order, unlike, variables_of
from runtime.scoring.chunks import Source
from runtime.scoring.facts import Facts
from runtime.scoring.local import LocalModel
from runtime.scoring.pictures import PictureFiles
from runtime.scoring.run import Outcome, Tell

Scored: TypeAlias = Callable[[Order, Cutting], Iterator[Done | Failure]]


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
        inputs: the input as it was typed.
    """

    source: Source
    facts: Facts
    model: LocalModel
    config: Config
    output: PartFolder
    rejects: RejectsFile
    size: int
    settings: str
    inputs: tuple[Place, ...]

    @property
    def plan(self) -> dict[str, str]:
        """The facts that may not change during a run; see ``Spool.opened``."""
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

    def go(
        self, before: Before | None, count: int, scored: Scored, tell: Tell
    ) -> Outcome:
        """Score what is not scored yet.

        Args:
            before: the ended run with which this one goes on, if any.
            count: the number of processes that score.
            scored: a function that has parts scored, in any order.
            tell: a function that is told after each part that is done.

        Raises:
            AdminError: the input or the command is wrong. Nothing is left of the run.
            WorkFailed: the work failed; the done part is kept.
        """
        begun = time.monotonic()
        if before is None:
            items = items_of_part(self.source.total, self.size, count)
            before = Before(items, [])
        ticket = self.output.begin(self.plan, before)
        parts = {part.number: part for part in before.done}
        done = kept = sum(part.items for part in before.done)
        rejected = sum(len(part.rejected) for part in before.done)
        try:
            cutting = Cutting(self.source, self.size, before.items, frozenset(parts))
            for part in scored(self._order(ticket), cutting):
                if isinstance(part, Failure):
                    raise part.error()
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

    def _order(self, ticket: str) -> Order:
        version = self.model.version
        out = self.output.out
        return Order(
            self.config,
            replace(self.model, version=replace(version, path=version.path.absolute())),
            self.facts,
            self.source.kept,
            out.absolute() if isinstance(out, Path) else out,
            ticket,
            self._shared(),
            variables_of(os.environ),
        )

    def _shared(self) -> tuple[str, ...]:
        """Return what all nodes must have, because pictures are read there."""
        if not isinstance(self.source, PictureFiles):
            return ()
        return tuple(
            str(place.absolute()) for place in self.inputs if isinstance(place, Path)
        )
