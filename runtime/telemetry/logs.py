"""The service's log: plain or JSON lines, to standard error or to a file a day.

The log takes our own loggers, and those of libraries that report failures in the
background. A user who wants other messages must set them up. ``runtime.requests``
has a line for each request, and ``runtime.monit`` has CERN MONIT's record of it; both
log a dict of fields, and not a sentence.
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
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

import orjson
from pythonjsonlogger.json import JsonFormatter

from runtime.config import Config, ConfigError
from runtime.telemetry.journey import CURRENT

LOGGERS = ("bundle", "opentelemetry", "runtime", "waitress")
access = logging.getLogger("runtime.requests")
monit = logging.getLogger("runtime.monit")

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
        handler: logging.Handler = (
            DailyFileHandler(config.log_file) if config.log_file else ErrorHandler()
        )
    except OSError as ex:
        raise ConfigError(
            f"'logFile' is {config.log_file}, which cannot be written: {ex.strerror}"
        ) from ex
    handler.setFormatter(JsonLines() if config.log_format == "json" else PlainLines())
    handler.addFilter(_add_request)
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[config.verbose]
    for name in LOGGERS:
        _direct(logging.getLogger(name), level, handler)
    # No line has these fields, and each record would ask for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # waitress must always report where it listens; it does not log requests.
    logging.getLogger("waitress").setLevel(min(level, logging.INFO))
    # waitress warns of each request that waits, and waiting is normal.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Requests are logged at every ``verbose``; those for health at DEBUG.
    requests = logging.DEBUG if config.verbose == 2 else logging.INFO
    access.setLevel(requests if config.access_log else logging.CRITICAL)
    records = RecordHandler(sys.stdout)
    records.setFormatter(_Record())
    _direct(monit, logging.INFO if config.monit_record else logging.CRITICAL, records)


def _direct(logger: logging.Logger, level: int, handler: logging.Handler) -> None:
    for old in logger.handlers:
        old.close()
    logger.setLevel(level)
    logger.handlers = [handler]
    logger.propagate = False


def log_fields(logger: logging.Logger, level: int, fields: Mapping[str, Any]) -> None:
    """Log a dict of fields.

    ``logger.log`` would look for the caller's place in the code, which no line shows.
    """
    if logger.isEnabledFor(level):
        name = logger.name
        logger.handle(logging.LogRecord(name, level, "", 0, fields, None, None))


def _add_request(record: logging.LogRecord) -> bool:
    """Give each line the id of its request; a filter that drops no line."""
    journey = CURRENT.get()
    record.request_id = journey.request_id if journey else ""
    record.trace_id = journey.trace_id if journey else ""
    return True


_BARE = re.compile(r"[^\s\"=\\]+")


def _escape(text: str) -> str:
    """Write a line so that it is safe in a log and on a terminal.

    A client's text must not end the line, move a cursor, reverse the letters or hide
    some. So Unicode's controls, formats, separators and lone surrogates are written as
    in Python's ``repr``.
    """
    if text.isprintable():  # nearly always so, and this is much quicker
        return text
    return "".join(
        letter if letter.isprintable() else repr(letter)[1:-1] for letter in text
    )


def _logfmt(fields: Mapping[str, Any]) -> str:
    """Write ``name=value`` pairs; a value is quoted where its end would be unclear."""
    pairs = []
    for name, value in fields.items():
        text = str(value)
        if isinstance(value, str) and not _BARE.fullmatch(text):
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            text = f'"{quoted}"'
        pairs.append(f"{name}={text}")
    return " ".join(pairs)


def _of_request(record: logging.LogRecord) -> dict[str, str]:
    names = ("request_id", "trace_id")
    given = ((name, getattr(record, name, "")) for name in names)
    return {name: value for name, value in given if value}


class PlainLines(logging.Formatter):
    """One line a record; further lines are indented, so that none can be forged."""

    def __init__(self) -> None:
        super().__init__()
        self._second = -1
        self._time = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the local time; it is written out once a second, not for each line."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._time = time.strftime(self.default_time_format, time.localtime(second))
        return f"{self._time},{int(record.msecs):03d}"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, without its end."""
        of_request = _of_request(record)
        if isinstance(record.msg, dict):
            message = _logfmt({**record.msg, **of_request})
        else:
            message = " ".join(filter(None, (record.getMessage(), _logfmt(of_request))))
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {message}"
        lines = [line]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n    ".join(_escape(line) for line in lines)


class JsonLines(JsonFormatter):
    """One JSON object a line: ts, level, logger, message, request_id and the fields."""

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """Fill ``log_data`` in the order in which people read it."""
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["ts"] = at.isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        if record.message:
            log_data["message"] = record.message
        log_data.update(_of_request(record))
        log_data.update(message_dict)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Write the line quickly; characters beyond ASCII are escaped for safety."""
        try:
            line = orjson.dumps(log_data).decode()
        except TypeError:  # only the parent class can write this value
            return super().jsonify_log_record(log_data)
        if line.isascii() and line.isprintable():
            return line
        return super().jsonify_log_record(log_data)


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

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Count the line as lost, and tell standard error so once a minute."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)  # this is a bug of ours
            return
        self._lost += 1
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
