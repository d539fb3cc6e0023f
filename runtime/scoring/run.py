"""A run: all chunks of the input are answered, and their rows put together in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Source
from runtime.scoring.crew import Answer
from runtime.scoring.facts import Facts
from runtime.scoring.forms import Form
from runtime.scoring.spool import Spool

# A killed run loses the work of so many seconds. A commit waits for the disk.
_COMMIT_SECONDS = 1.0

# A function that is told the number of items that are done, and of those rejected.
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        scored: the items that have scores.
        rejected: the other items.
        seconds: the time of the run, with that before it was ended and gone on with.
        before: the items that were done before ``seconds`` began.
    """

    scored: int
    rejected: int
    seconds: float
    before: int = 0

    @property
    def rate(self) -> float:
        """The items a second."""
        done = self.scored + self.rejected - self.before
        return done / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Run:
    """A run that was prepared.

    Attributes:
        source: the input.
        facts: the model.
        form: the form of the output.
        spool: the place of what is done.
        size: the most items of a chunk.
        settings: the settings on which the rows depend.
    """

    source: Source
    facts: Facts
    form: Form
    spool: Spool
    size: int
    settings: str

    def go(
        self,
        crew: Callable[[int], AbstractContextManager[Answer]],
        tell: Tell,
        *,
        resume: bool = False,
        force: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> Outcome:
        """Score what is not scored yet, and give the outputs their names.

        Args:
            crew: a function that gives the crew for so many chunks.
            tell: a function that is told after each part that a killed run keeps.
            resume: see ``Spool.opened``.
            force: see ``Spool.opened``.
            clock: a clock in seconds that never goes back.

        Raises:
            AdminError: the input or the command is wrong. Nothing is left of the run.
            DomainError, ClientError: the work failed; the done part is kept.
        """
        plan = {
            "input": self.source.identity,
            "model": f"{self.facts.spec} {self.facts.digest}",
            "settings": self.settings,
        }
        spool = self.spool
        with spool.opened(plan, resume=resume, force=force):
            state = spool.state
            before, begun = state.seconds, clock()
            committed = float("-inf")
            try:
                done = state.done
                left = -(-(self.source.total - done) // self.size)
                with crew(left) as answer:
                    for written in answer(self.source.chunks(self.size, done)):
                        spool.add(written)
                        now = clock()
                        state.seconds = before + now - begun
                        if now - committed >= _COMMIT_SECONDS:
                            spool.commit()
                            committed = now
                            tell(state.done, state.rejected)
                if state.done != self.source.total:
                    raise AdminError(
                        f"the input changed while it was scored: it gave {state.done}"
                        f" items in place of {self.source.total}"
                    )
                state.seconds = before + clock() - begun
                spool.finish(self.form)
            except AdminError:
                spool.drop()
                raise
            except BaseException:
                spool.keep()
                raise
        tell(state.done, state.rejected)
        return Outcome(state.scored, state.rejected, state.seconds)
