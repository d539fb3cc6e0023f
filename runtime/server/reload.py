"""SIGHUP: the settings are read anew, checked whole, and taken by all workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from bundle.errors import DomainError
from runtime.config import Config, Renewal, Settings, renewal_of
from runtime.server.orders import Leave, Order, Prepare, Take, Word
from runtime.telemetry.reading import Reading

logger = logging.getLogger(__name__)

# A value is never shown, because it may be a token's.
_NOTHING = "no key changed; files of tokens and certificates were read, too"


class Reload:
    """Brings new settings to all workers, in two steps.

    Each worker first makes ready what follows them. Only if all have done so, all take
    them. So settings that one worker cannot take change nothing anywhere.

    Args:
        config: the settings that hold, as they were read.
        read: reads the settings anew, from the same file, variables and flags.
        check: checks them whole, and returns what is doubtful.
        send: sends an order to the worker of an index.
        workers: the number of workers.

    Attributes:
        config: the settings that hold.
        reading: the words about them.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Settings],
        check: Callable[[Config], Iterable[str]],
        send: Callable[[int, Order], object],
        workers: int,
    ) -> None:
        self.config = config
        self.reading = Reading(time.time())
        self._read = read
        self._check = check
        self._send = send
        self._workers = range(workers)
        self._renewal: Renewal | None = None
        self._order: Prepare | Take | None = None
        self._number = 0
        self._waits_for: set[int] = set()
        self._is_wanted = False

    def begin(self) -> None:
        """Read the settings, and have them prepared.

        While others are on their way, they are read when those have arrived.
        """
        if self._order is not None:
            self._is_wanted = True
            return
        self._is_wanted = False
        try:
            settings = self._read()
            doubts = (*settings.doubts, *self._check(settings.config))
        except DomainError as ex:
            self._refuse(str(ex))
            return
        # The service must not end because its new settings have found a bug.
        except Exception:
            logger.exception("the settings cannot be read anew")
            self._refuse("they failed in a way that was not foreseen")
            return
        for doubt in doubts:
            logger.warning("%s", doubt)
        self._renewal = renewal_of(self.config, settings.config)
        self._number += 1
        config = replace(self._renewal.config, workers=len(self._workers))
        self._order_all(Prepare(self._number, config))

    def hear(self, index: int, word: Word) -> None:
        """Take a worker's word about an order."""
        if self._order is None or word.order != self._order.number:
            return
        if word.refusal and isinstance(self._order, Prepare):
            self._refuse(word.refusal)
            return
        if word.refusal:
            logger.error("a worker serves with old settings: %s", word.refusal)
        self._done(index)

    def replaced(self, index: int) -> None:
        """Note that another worker took the place of one, with ``config``."""
        if isinstance(self._order, Prepare):
            self._send(index, self._order)
        elif self._order is not None:
            self._done(index)  # it began with the new settings

    def _order_all(self, order: Prepare | Take) -> None:
        self._order = order
        self._waits_for = {*self._workers}
        for index in self._workers:
            self._send(index, order)

    def _done(self, index: int) -> None:
        self._waits_for.discard(index)
        if self._waits_for:
            return
        if isinstance(self._order, Prepare):
            self._take()
        else:
            self._end()

    def _take(self) -> None:
        renewal = self._renewal
        assert renewal is not None, "it was prepared"
        self.config = renewal.config
        self.reading = Reading(time.time(), renewal.restart)
        self._number += 1
        self._order_all(Take(self._number, self.reading))

    def _end(self) -> None:
        """Tell what changed, when all workers have it."""
        renewal, self._renewal, self._order = self._renewal, None, None
        assert renewal is not None, "it was taken"
        changed = f"changed: {', '.join(renewal.changed)}"
        logger.warning(
            "the settings were read anew; %s", changed if renewal.changed else _NOTHING
        )
        if renewal.restart:
            logger.warning(
                "these keys need a restart, and their old values hold: %s",
                ", ".join(renewal.restart),
            )
        if self._is_wanted:
            self.begin()

    def _refuse(self, why: str) -> None:
        self._renewal = self._order = None
        logger.error(
            "the settings were read anew and refused; the old ones hold: %s", why
        )
        self.reading = replace(self.reading, refused=time.time())
        for index in self._workers:
            self._send(index, Leave(self.reading))
        if self._is_wanted:
            self.begin()
