"""SIGHUP: the settings are read anew, checked whole, and taken by all workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from bundle.errors import DomainError
from runtime.access.pair import Pair, read_pair
from runtime.access.tokens import with_digests
from runtime.config import Config, Renewal, Settings, renewal_of
from runtime.server.heartbeat import LOOK_SECONDS
from runtime.server.orders import Leave, Order, Prepare, Take, Word
from runtime.telemetry.reading import Reading

logger = logging.getLogger(__name__)

# A worker prepares settings and takes them within a second or two, or some ten if the
# machine swaps. Looks are counted, and not seconds, as for the workers' hearts.
LIMIT_LOOKS = round(60 / LOOK_SECONDS)

# A value is never shown, because it may be a token's.
_NOTHING = "no key changed; files of tokens and certificates were read, too"


class Held(NamedTuple):
    """The settings of a worker, with the content of files that may change meanwhile.

    Attributes:
        config: the settings, with the digests of the files of tokens.
        pair: the pair of key and certificate; None without TLS.
    """

    config: Config
    pair: Pair | None


class Reload:
    """Brings new settings to all workers, in two steps.

    Each worker first makes ready what follows them. Only if all have done so, all take
    them. So settings that one worker cannot take change nothing anywhere. A worker gets
    no order while it owes a word, so its pipe never fills, which would stop the parent.

    Args:
        config: the settings that hold, as they were read.
        read: reads the settings anew, from the same file, variables and flags.
        check: checks them whole, and returns what is doubtful.
        send: sends an order to the worker of an index.
        retire: ends the worker of an index, after its requests in hand.
        pid_of: gives the number of the process of an index, for sentences.
        workers: the number of workers.

    Raises:
        ConfigError: a file of tokens or of TLS cannot be read.

    Attributes:
        config: the settings that hold, as they were read.
        held: the same for workers, with the content of the files that they name.
        reading: the words about them.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Settings],
        check: Callable[[Config], Iterable[str]],
        send: Callable[[int, Order], object],
        retire: Callable[[int], object],
        pid_of: Callable[[int], int | None],
        workers: int,
    ) -> None:
        self.config = config
        self.reading = Reading(time.time())
        self._read = read
        self._check = check
        self._send = send
        self._retire = retire
        self._pid_of = pid_of
        self._workers = range(workers)
        self.held = self._hold(config)
        self._next = self.held
        self._renewal: Renewal | None = None
        self._order: Prepare | Take | None = None
        self._number = 0
        self._waits_for: set[int] = set()
        self._looks = 0
        self._refusal = ""
        # These workers did not prepare in time, and still owe a word.
        self._silent: set[int] = set()
        # These did not take what they prepared, and end.
        self._ending: set[int] = set()
        self._is_wanted = False

    def begin(self) -> None:
        """Read the settings, and have them prepared.

        While others are on their way, they are read when those have arrived.
        """
        if self._order is not None:
            self._is_wanted = True
            return
        self._is_wanted = False
        if self._silent:
            self._refuse(self._silence())
            return
        try:
            settings = self._read()
            doubts = (*settings.doubts, *self._check(settings.config))
            renewal = renewal_of(self.config, settings.config)
            if renewal.restart:
                # New values may not go together with old ones that hold on.
                self._check(renewal.config)
            self._next = self._hold(renewal.config)
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
        self._renewal = renewal
        self._number += 1
        self._order_all(Prepare(self._number, *self._next))

    def hear(self, index: int, word: Word) -> None:
        """Take a worker's word about an order."""
        if index in self._silent:
            self._silent.discard(index)
            self._send(index, Leave(self.reading))
            return
        if self._order is None or word.order != self._order.number:
            return
        if word.refusal and isinstance(self._order, Take):
            self._replace(index, word.refusal)
            return
        self._refusal = self._refusal or word.refusal
        self._done(index)

    def look(self) -> None:
        """Look once in ``LOOK_SECONDS`` whether workers have owed a word for too long.

        If one has not prepared the settings in time, they are refused. If one has not
        taken them, it ends.
        """
        if self._order is None:
            return
        self._looks += 1
        if self._looks != LIMIT_LOOKS:
            return
        if isinstance(self._order, Prepare):
            self._silent = {*self._waits_for}
            self._refuse("; ".join(filter(None, (self._refusal, self._silence()))))
            return
        for index in sorted(self._waits_for):
            self._replace(index, "it does not answer")

    def replaced(self, index: int) -> None:
        """Note that another worker took the place of one, with ``held``."""
        self._silent.discard(index)
        self._ending.discard(index)
        if isinstance(self._order, Prepare):
            # The one before it may have said that it is ready, and this one is not.
            self._waits_for.add(index)
            self._looks = 0
            self._send(index, self._order)
        elif self._order is not None:
            self._done(index)  # it began with the new settings

    def _hold(self, config: Config) -> Held:
        settled = replace(with_digests(config), workers=len(self._workers))
        return Held(settled, read_pair(config))

    def _order_all(self, order: Prepare | Take) -> None:
        self._order = order
        self._looks, self._refusal = 0, ""
        self._waits_for = {*self._workers}
        for index in self._workers:
            self._send(index, order)

    def _done(self, index: int) -> None:
        self._waits_for.discard(index)
        if self._waits_for:
            return
        if self._refusal:
            self._refuse(self._refusal)
        elif isinstance(self._order, Prepare):
            self._take()
        else:
            self._end()

    def _replace(self, index: int, why: str) -> None:
        """End a worker that cannot take what it prepared.

        It may go on with old tokens. The one in its place begins with new ones.
        """
        if index in self._ending:
            return
        self._ending.add(index)
        logger.error("a worker cannot take new settings, and ends: %s", why)
        self._retire(index)

    def _silence(self) -> str:
        """Tell which workers did not prepare in time, and what helps."""
        pids = " ".join(f"{self._pid_of(index)}" for index in sorted(self._silent))
        is_one = len(self._silent) == 1
        does = "process does" if is_one else "processes do"
        return (
            f"worker {does} not answer: {pids}; replace {'it' if is_one else 'them'} by"
            f" `kill {pids}`, and send SIGHUP again"
        )

    def _take(self) -> None:
        renewal = self._renewal
        assert renewal is not None, "it was prepared"
        self.config, self.held = renewal.config, self._next
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
            # A silent one is told as soon as it answers.
            if index not in self._silent:
                self._send(index, Leave(self.reading))
        if self._is_wanted:
            self.begin()
