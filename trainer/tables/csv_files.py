"""CSV files, read by pyarrow in blocks; every cell comes as text, and is typed here.

pyarrow would decide each column's type by its first block and fail at the first other
value, in words of its own.
"""

from __future__ import annotations

import codecs
import csv
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bundle.foreign import GZIP
from trainer.errors import DataError
from trainer.formats.content import open_unpacked
from trainer.tables.source import Piece, Source, check_package, checked_names

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITERS = ",;\t"
# Cells that people leave for a missing number; any other text is one.
_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None")
# A column is one of numbers if most of its first cells are.
_MOST = 0.5
_BLOCK = 4 << 20
# A longer first line is no header.
_MAX_HEADER = 1 << 20
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


@dataclass
class _Form:
    """The form of a CSV file, by its first line.

    Attributes:
        delimiter: the character between two cells.
        names: the header's cells; the empty name of an index column is kept.
    """

    delimiter: str
    names: list[str]


def open_csv(path: Path) -> Source:
    """Open a CSV file, gzipped or not.

    Args:
        path: a file in UTF-8 with a header; its cells are parted by ',', ';' or tabs.

    Raises:
        DataError: the file is empty, has no header, or is no text.
    """
    check_package("pyarrow", path)
    form = _form(path)
    names = form.names
    notes: tuple[str, ...] = ()
    if names[0] == "" and len(names) > 1:
        # pandas writes its index so.
        names, notes = (
            names[1:],
            (f"{path.name}: the first column has no name, and was passed over",),
        )
    if "" in names:
        raise DataError(
            f"{path}: column {form.names.index('', 1) + 1} of the header has no name;"
            " name it"
        )
    return Source(
        shown=str(path),
        names=checked_names(names, str(path)),
        read=lambda wanted, mixed: _pieces(path, form, wanted, mixed),
        notes=notes,
    )


def csv_header(path: Path) -> list[str]:
    """Return the cells of a CSV file's header.

    Raises:
        DataError: see ``open_csv``.
    """
    return _form(path).names


def _form(path: Path) -> _Form:
    with _translated(path), open_unpacked(path) as stream:
        head = stream.readline(_MAX_HEADER)
    if not head.strip():
        raise DataError(f"{path} is empty, or its first line is; give a header there")
    try:
        line = head.decode("utf-8-sig")
    except UnicodeDecodeError as ex:
        raise DataError(f"{path} is no text in UTF-8; write it as UTF-8") from ex
    if "\0" in line:
        raise DataError(f"{path} is no CSV file: its first line is no text")
    unquoted = re.sub(r'"[^"]*"', "", line)
    delimiter = max(_DELIMITERS, key=unquoted.count)
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    # The csv module refuses lines that only returns end, and very long cells.
    except csv.Error as ex:
        raise DataError(
            f"{path}: its first line is no header of a CSV file; end each line with a"
            " newline, and write the names of the columns into the first"
        ) from ex
    names = [name.strip() for name in cells]
    if names and all(_is_number(name) for name in names):
        raise DataError(
            f"{path} has no header: its first line holds numbers; write the names of"
            " the columns there"
        )
    return _Form(delimiter, names)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Translate the errors of a file that cannot be read or unpacked."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as ex:
        why = getattr(ex, "strerror", None) or "it is damaged or cut short"
        raise DataError(f"{path} cannot be read: {why}") from ex


def _check_text(path: Path) -> None:
    """Check that a file is UTF-8 to its end, and can be unpacked.

    pyarrow prints a traceback of its own where a line of a wrong length is no text. It
    reads in a thread that may outlive a failure, so it must not read by Python's code:
    the end of Python would abort the process then.

    Raises:
        DataError: it is not.
    """
    line = 1
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _translated(path), open_unpacked(path) as stream:
        piece = None
        while piece != b"":
            piece = stream.read(_BLOCK)
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as ex:
                line += ex.object[: ex.start].count(b"\n")
                raise DataError(
                    f"{path}: line {line} is no text in UTF-8; write the file as UTF-8"
                ) from ex
            line += piece.count(b"\n")


def _stream(path: Path) -> pa.NativeFile:
    import pyarrow as pa

    with path.open("rb") as file:
        is_packed = file.read(len(GZIP)) == GZIP
    return pa.input_stream(str(path), compression="gzip" if is_packed else None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    # Python also takes 1_000 and the digits of other scripts, which pyarrow does not.
    return text.isascii() and "_" not in text


def _pieces(
    path: Path, form: _Form, wanted: tuple[str, ...], mixed: frozenset[str]
) -> Iterator[Piece]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    wrong: list[Any] = []

    def remember(row: Any) -> str:
        wrong.append(row)
        return "error"

    # The file may have a name twice or none, so the columns are named by their places.
    places = {name: str(form.names.index(name)) for name in wanted}
    columns = {name: _Column(str(path), name, name in mixed) for name in wanted}
    _check_text(path)
    try:
        with _translated(path), _stream(path) as stream:
            reader = arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(
                    # Only one thread tells the number of a wrong row.
                    use_threads=False,
                    block_size=_BLOCK,
                    skip_rows=1,
                    column_names=[str(place) for place in range(len(form.names))],
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=form.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=remember,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=list(places.values()),
                    column_types=dict.fromkeys(places.values(), pa.string()),
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                yield {
                    name: columns[name].typed(batch.column(place))
                    for name, place in places.items()
                }
    except pa.ArrowInvalid as ex:
        raise DataError(_of_failure(str(path), form, wrong, str(ex))) from ex


def _of_failure(shown: str, form: _Form, wrong: list[Any], message: str) -> str:
    if wrong:
        row = wrong[0]
        # pyarrow counts the skipped header, too.
        return (
            f"{shown}: line {row.number} has {row.actual_columns}"
            f" value{'s' if row.actual_columns != 1 else ''} and the header names"
            f" {row.expected_columns} columns; mend or remove the line"
        )
    if "Empty CSV" in message:
        return f"{shown} has a header and no rows; give a table with rows"
    return f"{shown} is no whole CSV file; write it again"


@dataclass
class _Column:
    """One column while its blocks come in.

    Attributes:
        shown: the file.
        name: the column.
        may_mix: take numbers as texts, where a column holds both.
        is_number: whether the column holds numbers; None until a cell has told it.
        rows: the number of rows that were seen.
    """

    shown: str
    name: str
    may_mix: bool
    is_number: bool | None = None
    rows: int = field(default=0)

    def typed(self, cells: pa.StringArray) -> NDArray[Any]:
        """Return ``(n,)`` float64, NaN where missing; or objects that are texts."""
        import pyarrow as pa
        from pyarrow import compute as pc

        cells = pc.utf8_trim_whitespace(cells)
        is_missing = pc.is_in(cells, value_set=pa.array(_MISSING))
        if self.is_number is not False:
            numbers = self._numbers(pc.if_else(is_missing, None, cells))
            if numbers is not None:
                self.rows += len(cells)
                return numbers
        self.rows += len(cells)
        texts: NDArray[Any] = cells.to_numpy(zero_copy_only=False)
        return texts

    def _numbers(self, cells: pa.StringArray) -> NDArray[np.float64] | None:
        import pyarrow as pa

        if cells.null_count == len(cells):
            return np.full(len(cells), np.nan)
        try:
            numbers: NDArray[np.float64] = cells.cast(pa.float64()).to_numpy(
                zero_copy_only=False
            )
        except pa.ArrowInvalid:
            self._refuse_mixed(cells.to_pylist())
            self.is_number = False
            return None
        self.is_number = True
        return numbers

    def _refuse_mixed(self, cells: list[str | None]) -> None:
        filled = [(row, text) for row, text in enumerate(cells) if text is not None]
        wrong = [(row, text) for row, text in filled if not _is_number(text)]
        is_mixed = len(wrong) <= _MOST * len(filled)
        row, text = wrong[0]
        has_comma = _DECIMAL_COMMA.fullmatch(text)
        is_free = self.is_number is None and not has_comma
        if is_free and (self.may_mix or not is_mixed):
            return
        if has_comma:
            raise DataError(
                f"{self.shown}: row {self.rows + row + 1} of the column {self.name!r}"
                f" is {text!r}; write numbers with a decimal point"
            )
        raise DataError(
            f"{self.shown}: the column {self.name!r} mixes numbers and texts: row"
            f" {self.rows + row + 1} is {text[:40]!r}; leave the cell empty if the"
            f" number is missing, or give --categorical {self.name} if all are texts"
        )
