"""The handler that writes the lines of requests, many at once.

A line of its own takes a sixth of a small model's time: a record, a form, a lock and a
write. To note a request takes a fifth of a microsecond. Its line is written within a
tenth of a second, together with the lines of other requests.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Protocol

from runtime.process.soon import Soon
from runtime.telemetry.answered import REQUESTS, Answered

# A line is written at most so many seconds after its request. A process that is killed
# loses the lines of this time.
SECONDS = 0.1
# The thread that answers requests waits while lines are made, so few are made at a
# time. Between two pieces it takes its turn.
_AT_ONCE = 128
# If the writing thread gets no turn, the noted requests must not grow without end.
MOST = 10_000


class Lines(Protocol):
    """A form of the log's lines."""

    def request(self, answered: Answered) -> str:
        """Return the line of a request, without its end."""


class ManyLines(logging.LogRecord):
    """A record of lines that are written as they are, with one write.

    Attributes:
        count: the number of lines.
    """

    def __init__(self, lines: list[str]) -> None:
        super().__init__(REQUESTS, logging.INFO, "", 0, "\n".join(lines), None, None)
        self.count = len(lines)


class RequestLog(logging.Handler):
    """Passes records on to another handler, and writes the lines of requests to it.

    All lines keep their order: before it passes a record on, it writes the requests
    that were noted. The end of a process flushes and closes it, like all handlers.

    Args:
        target: the handler that writes.
        lines: the form of the lines.
        requests_level: the level below which a request has no line.
        most: the most requests that wait; with one more, their lines are written at
            once.

    Attributes:
        soon: the writing of the noted requests.
    """

    def __init__(
        self,
        target: logging.Handler,
        lines: Lines,
        requests_level: int,
        most: int = MOST,
    ) -> None:
        super().__init__()
        self._most = most
        self.requests_level = requests_level
        self._target = target
        self._lines = lines
        self._noted: deque[tuple[Any, ...]] = deque()
        self.soon = Soon(self.flush, SECONDS, "request log")

    def note(self, answered: Answered) -> None:
        """Note a request, whose line is written later; several threads may note."""
        # The garbage collector passes over plain tuples alone.
        self._noted.append(tuple(answered))
        if not self.soon.is_due:
            self.soon.want()
        elif len(self._noted) > self._most:
            self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the noted requests, and then this record."""
        self.flush()
        self._target.handle(record)

    def flush(self) -> None:
        """Write the lines of all requests that were noted before this call."""
        for _ in range(0, len(self._noted), _AT_ONCE):
            self._write_some()

    def _write_some(self) -> None:
        self.acquire()  # so that no other thread writes later lines first
        try:
            count = min(_AT_ONCE, len(self._noted))
            noted = [Answered._make(self._noted.popleft()) for _ in range(count)]
            if noted:
                self._target.handle(ManyLines(list(map(self._lines.request, noted))))
        finally:
            self.release()

    def close(self) -> None:
        """Write the rest, and close the other handler."""
        self.flush()
        self._target.close()
        super().close()
