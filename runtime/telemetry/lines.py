"""The two forms of a log line: plain text, and JSON.

Both write a sentence, or a dict of fields. The line of a usual request is a template
with some numbers, because the log would otherwise take a sixth of a small model's time.
``tests/runtime/telemetry/test_lines.py`` compares both ways.
"""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from pythonjsonlogger.json import JsonFormatter

from runtime.telemetry.answered import REQUESTS, Answered
from runtime.telemetry.journey import STAGES

# So many templates are remembered; each has some 500 bytes.
_MOST_TEMPLATES = 1024

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


# An id or an address that needs no quotes in either form; clients have nearly no other.
_PLAIN = re.compile(r"[A-Za-z0-9._:/+@-]+")

# These facts are other numbers in each line.
_NUMBERS = frozenset(("ms", "bytes_in", "bytes_out", *(f"{s}_ms" for s in STAGES)))


class _Templates:
    """The lines of usual requests without their numbers and their client.

    Templates stay in memory, so they hold no text of which a client can invent many. A
    path is its own route, or the route with the model and the version that answered.

    Args:
        make: a function that makes a template, with ``%s`` for each of them; it
            returns an empty text if it cannot.
    """

    def __init__(self, make: Callable[[Answered], str]) -> None:
        self._make = make
        self._made: dict[tuple[object, ...], str] = {}

    def find(self, answered: Answered) -> str:
        """Return the template of a request's line; it is empty if none fits."""
        if (
            answered.path
            not in _paths_of(answered.route, answered.model, answered.version)
            or answered.sent_method != answered.method
            or answered.bytes_in is None
            or answered.bytes_out is None
            or None in answered.stages
            or answered.trace_id
            or not _PLAIN.fullmatch(answered.request_id)
            or not _PLAIN.fullmatch(answered.client)
        ):
            return ""
        key = (
            *(answered.level, answered.method, answered.path, answered.route),
            *(answered.status, answered.model, answered.version),
            *(answered.backend, answered.items),
        )
        template = self._made.get(key)
        if template is None:
            if len(self._made) >= _MOST_TEMPLATES:
                self._made.clear()
            template = self._made[key] = self._make(answered)
        return template


@functools.lru_cache(_MOST_TEMPLATES)
def _paths_of(route: str, model: str, version: int | None) -> tuple[str, str]:
    """Return the paths that a route has for the version of a model that answered."""
    named = route.replace("{name}", model).replace("{version}", str(version))
    return route, named


def _values(answered: Answered) -> tuple[str | int | None, ...]:
    """Return a line's numbers and its client in their order."""
    return (
        _text(int(answered.seconds * 1e6 + 0.5)),
        answered.client,
        answered.bytes_in,
        answered.bytes_out,
        *[
            _text(int(spent * 1e6 + 0.5))
            for spent in answered.stages
            if spent is not None
        ],
    )


@functools.lru_cache(_MOST_TEMPLATES)
def _text(microseconds: int) -> str:
    """Return microseconds as the text of ``milliseconds``."""
    return str(microseconds / 1000)


class PlainLines(logging.Formatter):
    """One line a record; further lines are indented, so that none can be forged."""

    def __init__(self) -> None:
        super().__init__()
        self._templates = _Templates(_plain_template)
        self._second = -1
        self._time = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the local time; it is written out once a second, not for each line."""
        return self._time_of(record.created, record.msecs)

    def _time_of(self, created: float, msecs: float) -> str:
        second = int(created)
        if second != self._second:
            self._second = second
            self._time = time.strftime(self.default_time_format, time.localtime(second))
        return f"{self._time},{int(msecs):03d}"

    def request(self, answered: Answered) -> str:
        """Return the line of a request, without its end."""
        template = self._templates.find(answered)
        if not template:
            return self.format(answered.record())
        ended = answered.ended
        at = self._time_of(ended, ended % 1 * 1000)
        return template % (at, *_values(answered), answered.request_id)

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


def _plain_template(answered: Answered) -> str:
    pieces = [
        f"{name}=%s"
        if name in _NUMBERS or name == "client"
        else _escape(_logfmt({name: value})).replace("%", "%%")
        for name, value in answered.facts().items()
    ]
    level = logging.getLevelName(answered.level)
    return f"%s {level} {REQUESTS}: {' '.join(pieces)} request_id=%s"


class JsonLines(JsonFormatter):
    """One JSON object a line: ts, level, logger, message, request_id and the fields."""

    def __init__(self) -> None:
        super().__init__()
        self._templates = _Templates(_json_template)

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

    def request(self, answered: Answered) -> str:
        """Return the line of a request, without its end."""
        template = self._templates.find(answered)
        if not template:
            return self.format(answered.record())
        at = datetime.fromtimestamp(answered.ended, UTC)
        ts = at.isoformat(timespec="milliseconds")
        return template % (ts, answered.request_id, *_values(answered))


def _json_template(answered: Answered) -> str:
    """Return the template, or an empty text if a fact needs escapes."""
    pieces = []
    for name, value in answered.facts().items():
        if name in _NUMBERS:
            pieces.append(f'"{name}":%s')
            continue
        if name == "client":
            pieces.append('"client":"%s"')
            continue
        try:
            piece = orjson.dumps({name: value}).decode()[1:-1]
        except TypeError:
            return ""
        if not (piece.isascii() and piece.isprintable()):
            return ""
        pieces.append(piece.replace("%", "%%"))
    level = logging.getLevelName(answered.level)
    return (
        f'{{"ts":"%s","level":"{level}","logger":"{REQUESTS}","request_id":"%s"'
        f",{','.join(pieces)}}}"
    )
