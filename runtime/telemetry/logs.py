"""The service's log: plain or JSON lines, to standard error or to a file a day.

The log takes our own loggers, and those of libraries that report failures in the
background. A user who wants other messages must set them up. ``runtime.requests``
has a line for each request, and ``runtime.monit`` has CERN MONIT's record of it; both
log a dict of fields, and not a sentence. ``request_log`` writes the lines of requests.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from runtime.config import Config, ConfigError
from runtime.telemetry.answered import REQUESTS
from runtime.telemetry.journey import CURRENT
from runtime.telemetry.lines import JsonLines, PlainLines
from runtime.telemetry.request_log import ManyLines, RequestLog

LOGGERS = ("bundle", "grpc", "opentelemetry", "runtime", "waitress")
monit = logging.getLogger("runtime.monit")

# The log of this process; ``set_up_logs`` gives it a place.
request_log = RequestLog(logging.NullHandler(), PlainLines(), logging.CRITICAL)

# An event that repeats is reported at most once in so many seconds.
SELDOM_SECONDS = 60.0

# Files are kept so many days, like those of TFaaS, which rotatelogs makes.
KEPT_DAYS = 7


def set_up_logs(config: Config) -> None:
    """Send the log lines of this process to the place in the config, and only there.

    Raises:
        ConfigError: ``logFile`` cannot be written.
    """
    try:
        target: logging.Handler = (
            DailyFileHandler(config.log_file) if config.log_file else ErrorHandler()
        )
    except OSError as ex:
        raise ConfigError(
            f"'logFile' is {config.log_file}, which cannot be written: {ex.strerror}"
        ) from ex
    lines = JsonLines() if config.log_format == "json" else PlainLines()
    target.setFormatter(lines)
    global request_log
    request_log = RequestLog(target, lines, logging.CRITICAL)
    request_log.addFilter(_add_request)
    for name in LOGGERS:
        _direct(logging.getLogger(name), request_log)
    # No line has these fields, and each record would ask for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # waitress warns of each request that waits, and waiting is normal.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    records = RecordHandler(sys.stdout)
    records.setFormatter(_Record())
    _direct(monit, records)
    set_levels(config)


def set_levels(config: Config) -> None:
    """Let the log of this process write what the config asks for, from now on."""
    # Requests are logged at every ``verbose``; those for health at DEBUG.
    requests = logging.DEBUG if config.verbose == 2 else logging.INFO
    requests = requests if config.access_log else logging.CRITICAL
    request_log.requests_level = requests
    logging.getLogger(REQUESTS).setLevel(requests)
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[config.verbose]
    for name in LOGGERS:
        logging.getLogger(name).setLevel(level)
    # waitress must always report where it listens; it does not log requests.
    logging.getLogger("waitress").setLevel(min(level, logging.INFO))
    monit.setLevel(logging.INFO if config.monit_record else logging.CRITICAL)


def _direct(logger: logging.Logger, handler: logging.Handler) -> None:
    for old in logger.handlers:
        old.close()
    logger.handlers = [handler]
    logger.propagate = False


def _add_request(record: logging.LogRecord) -> bool:
    """Give each line the id of its request; a filter that drops no line."""
    journey = CURRENT.get()
    record.request_id = journey.request_id if journey else ""
    record.trace_id = journey.trace_id if journey else ""
    return True


class _Record(logging.Formatter):
    """Writes the dict of a record as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(record.msg)


class Seldom:
    """Tells once a minute how often something happened.

    Args:
        clock: a clock in seconds that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards both below
        self._count = 0
        self._next = -math.inf

    def count(self) -> int:
        """Count one event.

        Returns:
            The number of events since the last report; 0 if no report is due yet.
        """
        with self._lock:
            self._count += 1
            if self._clock() < self._next:
                return 0
            self._next = self._clock() + SELDOM_SECONDS
            count, self._count = self._count, 0
            return count


class _Losing(logging.StreamHandler[Any]):
    """A handler whose lines may be lost, for example on a full disk.

    It writes ``ManyLines`` as they are, and counts each of them.

    logging prints a traceback for each lost line, which would fill the log even more.
    """

    _where = "the log"

    def __init__(self, *args: Any, **options: Any) -> None:
        self._lost = 0  # lines since the last one that was written
        self._seldom = Seldom()
        super().__init__(*args, **options)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line; after lost lines, tell how many they were."""
        lost = self._lost
        super().emit(record)
        if lost and self._lost == lost:
            self._lost = 0
            self._tell(f"can be written again; {_lines(lost)} lost")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text, without the end of its last line."""
        return record.msg if isinstance(record, ManyLines) else super().format(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Count the line as lost, and tell standard error so once a minute."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)  # this is a bug of ours
            return
        self._lost += record.count if isinstance(record, ManyLines) else 1
        if self._seldom.count():
            self._tell(
                f"cannot be written: {error.strerror}; {_lines(self._lost)} lost"
            )

    def _tell(self, what: str) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"runtime: {self._where} {what}\n")
            sys.stderr.flush()


def _lines(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"


class ErrorHandler(_Losing):
    """Writes to standard error."""


class RecordHandler(_Losing):
    """Writes MONIT's records to standard output."""

    _where = "standard output"


class DailyFileHandler(_Losing, WatchedFileHandler):
    """Appends to ``<prefix>-<hostname>-YYYYMMDD``, in local time; TFaaS's names.

    Several processes may write the same file, because each line is one write to a file
    opened to append, and no file is renamed. Files are removed after a week.

    Args:
        prefix: the config's ``logFile``.
        today: a function that returns the day.
    """

    def __init__(self, prefix: str, today: Callable[[], date] = date.today) -> None:
        self._prefix = Path(f"{prefix}-{socket.gethostname()}-").absolute()
        self._today = today
        self._day = today()
        super().__init__(
            self._path(self._day), encoding="utf-8", errors="backslashreplace"
        )
        self._remove_old()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, into a new file if it is a new day's first."""
        try:
            if (day := self._today()) != self._day:
                self._day = day
                # The parent class opens the file of this name when it sees that it has
                # another one open.
                self.baseFilename = str(self._path(day))
                self._remove_old()
            super().emit(record)
        except OSError:  # a full disk, for example, must not fail the request
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """See the base class; the next line opens the file anew.

        A stream that cannot be flushed cannot be closed later, and would block a new
        one.
        """
        super().handleError(record)
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    def _path(self, day: date) -> Path:
        return self._prefix.with_name(f"{self._prefix.name}{day:%Y%m%d}")

    def _remove_old(self) -> None:
        oldest = f"{self._day - timedelta(days=KEPT_DAYS):%Y%m%d}"
        name = re.compile(re.escape(self._prefix.name) + "([0-9]{8})")
        # If old files cannot be removed, new ones are written all the same.
        with contextlib.suppress(OSError):
            for path in self._prefix.parent.iterdir():
                found = name.fullmatch(path.name)
                if found and found[1] < oldest:
                    path.unlink(missing_ok=True)  # another process may be quicker
