"""The source of rows in a CSV file, and the splitting of its rows.

One process cuts the file into records, and those that score split them into values,
which takes most of the time. A record ends with a line, unless a quoted text goes on.
"""

from __future__ import annotations

import csv
import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runtime.admin.errors import AdminError
from runtime.errors import InvalidInput
from runtime.scoring.chunks import Chunk, Kept, Layout, Lines, Table
from runtime.scoring.facts import Facts
from runtime.scoring.files import identity_of, text_of, unreadable
from runtime.scoring.naming import taken_columns

# A record is a row of numbers and words. A quoted text that has no end would take the
# rest of the file.
_MOST_BYTES = 1 << 20
_DELIMITERS = ",;\t"
# A line whose last quoted text has no end. A quote within a value, as in 5" pipe, is
# none that begins a text.
_OPEN = re.compile(rb'(?:^|[,;\t])"(?:[^"]++|"")*+\Z')


@dataclass(frozen=True)
class Header:
    """The first record of a CSV file.

    Attributes:
        names: the columns' names.
        delimiter: the character between two values.
    """

    names: tuple[str, ...]
    delimiter: str

    def place(self, path: Path, name: str) -> int:
        """Find a column.

        Raises:
            AdminError: there is none of this name, or there are several.
        """
        count = self.names.count(name)
        if count == 1:
            return self.names.index(name)
        problem = "is there twice" if count else "is missing"
        raise AdminError(
            f"{text_of(path)}: the column {name!r} {problem}; the header has"
            f" {', '.join(self.names)}"
        )


class CsvFile:
    """Rows of a CSV file for a model of rows.

    Args:
        path: the file.
        header: its first record.
        facts: the model.
        keep: the names of columns that are kept.

    Raises:
        AdminError: a column is missing, or a quoted text has no end.
    """

    def __init__(
        self, path: Path, header: Header, facts: Facts, keep: Sequence[str]
    ) -> None:
        self._path = path
        names = taken_columns(text_of(path), header.names, facts, keep)
        self._layout = Layout(
            header.delimiter,
            len(header.names),
            {name: header.place(path, name) for name in names},
            tuple(header.place(path, name) for name in keep),
            frozenset(spec.name for spec in facts.inputs if spec.dtype.kind == "O"),
        )
        self.kept = tuple(Kept(name, "text") for name in keep)
        self.total = sum(1 for _ in records(path))
        if not self.total:
            raise AdminError(f"{text_of(path)} has a header and no rows")

    @property
    def identity(self) -> str:
        """See ``Source``."""
        return identity_of([self._path])

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """See ``Source``."""
        left = itertools.islice(records(self._path), done, None)
        while rows := list(itertools.islice(left, size)):
            items = [str(n) for n in range(done, done + len(rows))]
            yield Chunk(items, Lines(rows, self._layout))
            done += len(rows)


def read_header(path: Path) -> Header:
    """Read the first record of a CSV file.

    Raises:
        AdminError: the file is no CSV, or is empty.
    """
    first = next(_all_records(path), b"")
    try:
        text = first.decode("utf-8-sig")
        delimiter = max(_DELIMITERS, key=text.count)
        names = next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except (UnicodeDecodeError, csv.Error) as ex:
        raise AdminError(
            f"{text_of(path)} is no CSV in UTF-8: its first line has no names of"
            " columns"
        ) from ex
    if not any(names):
        raise AdminError(f"{text_of(path)} is empty: it has no names of columns")
    return Header(tuple(name.strip() for name in names), delimiter)


def records(path: Path) -> Iterator[bytes]:
    """Read the records after the header; empty lines are none.

    Raises:
        AdminError: the file cannot be read, or a quoted text has no end.
    """
    return itertools.islice(_all_records(path), 1, None)


def _all_records(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            yield from _joined(path, stream)
    except OSError as ex:
        raise unreadable(path, ex) from ex


def _joined(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """Join the lines of each record, whose quoted texts may have several."""
    pieces: list[bytes] = []
    size = begun = 0
    for number, line in enumerate(_lines(stream), 1):
        if not pieces:
            size = 0
            begun = number
        size += len(line)
        if size > _MOST_BYTES:
            raise AdminError(
                f"{text_of(path)}: the row that begins in line {begun} is longer than"
                f" {_MOST_BYTES} bytes; a quote has no end, or the file is no CSV"
            )
        # The line goes on with the text that a line before began.
        text = b'"' + line if pieces else line
        if text.count(b'"') % 2 and _OPEN.search(text):
            pieces.append(line)
            continue
        row = (b"".join((*pieces, line)) if pieces else line).strip(b"\r\n")
        pieces = []
        if row:
            yield row
    if pieces:
        raise AdminError(
            f"{text_of(path)}: the quoted text in line {begun} has no end; the file is"
            " cut short, or a quote is missing"
        )


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Give the lines of a file, and of a longer one its begin."""
    return iter(functools.partial(stream.readline, _MOST_BYTES + 1), b"")


def split(
    lines: Lines,
) -> tuple[list[int], Table, tuple[list[str], ...], dict[int, str]]:
    """Split rows of a CSV file into values.

    Returns:
        The places of the rows that could be split; their columns that the model takes;
        their columns that are kept; and the reason of each other row, by its place.
    """
    layout = lines.layout
    rejected: dict[int, str] = {}
    try:
        # One reader for all rows takes a quarter of the time.
        rows = values_of(lines.rows, layout.delimiter, layout.width)
        places = list(range(len(rows)))
    except InvalidInput:
        rows, places = [], []
        for place, line in enumerate(lines.rows):
            try:
                rows += values_of([line], layout.delimiter, layout.width)
                places.append(place)
            except InvalidInput as ex:
                rejected[place] = str(ex)
    columns = list(zip(*rows, strict=True)) or [()] * layout.width
    table = Table({name: columns[place] for name, place in layout.taken.items()})
    for name in layout.texts & table.columns.keys():
        table.columns[name] = [text.strip() for text in table.columns[name]]
    return places, table, tuple(list(columns[n]) for n in layout.kept), rejected


def values_of(lines: Sequence[bytes], delimiter: str, width: int) -> list[list[str]]:
    """Split rows into ``width`` values each.

    Raises:
        InvalidInput: one of them is no row of the header's width.
    """
    try:
        texts = [line.decode() for line in lines]
        rows = list(csv.reader(texts, delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as ex:
        raise InvalidInput("the row is no CSV in UTF-8") from ex
    for row in rows:
        if len(row) != width:
            raise InvalidInput(
                f"the row has {len(row)} values, and the header has {width}"
            )
    if len(rows) != len(lines):
        raise InvalidInput("the row is no CSV in UTF-8")
    return rows
