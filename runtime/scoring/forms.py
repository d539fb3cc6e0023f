"""The forms of the output as lines of text: CSV, and JSON a line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson
from numpy.typing import NDArray

from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Kept, Scored
from runtime.scoring.columns import Columns

# A CSV has a value with one of these in quotes.
_SPECIAL = re.compile('[",\r\n]')

ENDINGS = (".csv", ".jsonl", ".parquet")


class Form(Protocol):
    """A form of the output. The head and the rows of all chunks make one spool."""

    def head(self, columns: Columns, numbers: NDArray[Any]) -> bytes:
        """Return what stands before all rows.

        Args:
            columns: the columns.
            numbers: the numbers of some items, ``(n, K)``; their dtype tells the type.
        """

    def rows(self, columns: Columns, scored: Scored, numbers: NDArray[Any]) -> bytes:
        """Return the rows of a chunk.

        Args:
            columns: the columns.
            scored: the items and what is kept of them.
            numbers: their numbers, ``(n, K)``.
        """

    def finish(self, spool: Path, made: Path) -> Path:
        """Make the output of the whole spool.

        Args:
            spool: the file with the head and all rows.
            made: a file beside it that may be written.

        Returns:
            The file that is the output, one of the two.

        Raises:
            OSError: the disk refuses it.
        """


class CsvForm:
    """A header, and a line for each item."""

    def head(self, columns: Columns, numbers: NDArray[Any]) -> bytes:
        """See ``Form``."""
        return csv_line((*columns.before, *columns.names))

    def rows(self, columns: Columns, scored: Scored, numbers: NDArray[Any]) -> bytes:
        """See ``Form``."""
        quoted = [map(_quoted, column) for column in columns.texts(scored, numbers)]
        # The numbers of a row are one text with commas, and need no quotes.
        rows = zip(*quoted, _texts_of(numbers), strict=True)
        return "".join(f"{','.join(row)}\n" for row in rows).encode()

    def finish(self, spool: Path, made: Path) -> Path:
        """See ``Form``."""
        return spool


class JsonForm:
    """A JSON object in a line for each item."""

    def head(self, columns: Columns, numbers: NDArray[Any]) -> bytes:
        """See ``Form``."""
        return b""

    def rows(self, columns: Columns, scored: Scored, numbers: NDArray[Any]) -> bytes:
        """See ``Form``."""
        before = columns.texts(scored, numbers)
        keys = [orjson.dumps(name).decode() for name in columns.names]
        lines = []
        for *values, text in zip(*before, _texts_of(numbers), strict=True):
            begin = orjson.dumps(
                dict(zip(columns.before, values, strict=True))
            ).decode()[:-1]
            pairs = zip(keys, text.split(","), strict=True)
            lines.append(
                f"{begin},{','.join(f'{key}:{number}' for key, number in pairs)}}}\n"
            )
        return "".join(lines).encode()

    def finish(self, spool: Path, made: Path) -> Path:
        """See ``Form``."""
        return spool


def form_of(out: Path, kept: tuple[Kept, ...]) -> Form:
    """Return the form that the ending of the output's name tells.

    Args:
        out: the output.
        kept: the columns that are kept.

    Raises:
        AdminError: no form has this ending, or pyarrow is missing for Parquet.
    """
    match out.suffix.lower():
        case ".csv":
            return CsvForm()
        case ".jsonl":
            return JsonForm()
        case ".parquet":
            from runtime.scoring.parquet_form import ParquetForm

            return ParquetForm(kept)
    raise AdminError(
        f"--out {out.name}: no form has this ending; end it with"
        f" {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
    )


def csv_line(values: Sequence[Any]) -> bytes:
    """Write one line of a CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue().encode()


def _quoted(value: Any) -> str:
    text = "" if value is None else str(value)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if _SPECIAL.search(text) else text


def _texts_of(numbers: NDArray[Any]) -> list[str]:
    """Write each row of ``(n, K)`` numbers, each as short as its dtype allows."""
    # orjson writes a whole array in a tenth of the time of ``str``.
    text = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return text[2:-2].split("],[")
