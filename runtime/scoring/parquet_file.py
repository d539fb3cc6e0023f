"""The source of rows in a Parquet file, which is read in pieces of its row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Chunk, Column, Kept, Kind, Table
from runtime.scoring.facts import Facts
from runtime.scoring.files import identity_of, text_of
from runtime.scoring.naming import taken_columns

NEEDS_PYARROW = (
    "Parquet needs the package pyarrow, which is not installed: pip install"
    " 'tfaas-onnx[data]'"
)


class ParquetFile:
    """Rows of a Parquet file for a model of rows.

    Args:
        path: the file.
        facts: the model.
        keep: the names of columns that are kept.

    Raises:
        AdminError: pyarrow is not installed, the file is no Parquet, a column is
            missing, or it holds neither numbers nor texts.
    """

    def __init__(self, path: Path, facts: Facts, keep: Sequence[str]) -> None:
        self._path = path
        with _refusing(path), _opened(path) as file:
            schema = file.schema_arrow
            self.total: int = file.metadata.num_rows
            self._groups = [
                file.metadata.row_group(n).num_rows
                for n in range(file.metadata.num_row_groups)
            ]
        self._taken = taken_columns(text_of(path), schema.names, facts, keep)
        for name in (*self._taken, *keep):
            if schema.names.count(name) > 1:
                raise AdminError(f"{text_of(path)}: the column {name!r} is there twice")
        for name in self._taken:
            _check_type(path, name, schema.field(name).type)
        self.kept = tuple(Kept(name, _kind(schema.field(name).type)) for name in keep)
        if not self.total:
            raise AdminError(f"{text_of(path)} has no rows")

    @property
    def identity(self) -> str:
        """See ``Source``."""
        return identity_of([self._path])

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """See ``Source``."""
        names = (*self._taken, *(kept.name for kept in self.kept))
        columns = list(dict.fromkeys(names))
        first = 0
        with _refusing(self._path), _opened(self._path) as file:
            for number, rows in enumerate(self._groups):
                after = first + rows
                if after > done:
                    for batch in file.iter_batches(
                        size, row_groups=[number], columns=columns, use_threads=False
                    ):
                        # A newer pyarrow may cut the row group elsewhere than the one
                        # with which the run began.
                        skipped = max(0, done - first)
                        if skipped < len(batch):
                            yield self._chunk(batch.slice(skipped), first + skipped)
                        first += len(batch)
                first = after

    def _chunk(self, batch: Any, first: int) -> Chunk:
        table = Table({name: _values(batch.column(name)) for name in self._taken})
        kept = tuple(_kept(batch.column(k.name), k.kind) for k in self.kept)
        items = [str(n) for n in range(first, first + len(batch))]
        return Chunk(items, table, kept)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import pyarrow.parquet as pq
    except ImportError as ex:
        raise AdminError(NEEDS_PYARROW) from ex
    # Its own mapping of the file would make the process seem to take its size.
    with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
        yield file


def _check_type(path: Path, name: str, kind: Any) -> None:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    is_number = types.is_integer(kind) or types.is_floating(kind)
    is_other = types.is_boolean(kind) or types.is_decimal(kind) or types.is_null(kind)
    is_text = types.is_string(kind) or types.is_large_string(kind)
    if not (is_number or is_other or is_text or types.is_string_view(kind)):
        raise AdminError(
            f"{text_of(path)}: the column {name!r} holds {kind}; a model takes numbers"
            " and texts"
        )


def _values(column: Any) -> Column:
    """Return numbers as an array with NaN for nulls, and texts as a list."""
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _values(column.dictionary_decode())
    if types.is_boolean(kind) or types.is_decimal(kind) or types.is_null(kind):
        column = column.cast("float64" if not types.is_boolean(kind) else "uint8")
        kind = column.type
    if types.is_integer(kind) or types.is_floating(kind):
        array: Column = column.to_numpy(zero_copy_only=False)
        return array
    texts: list[Any] = column.to_pylist()
    return texts


def _kind(kind: Any) -> Kind:
    from pyarrow import types

    if types.is_boolean(kind):
        return "bool"
    # Some numbers of uint64 are in no other type, and stay as texts.
    if types.is_integer(kind) and not types.is_uint64(kind):
        return "int"
    if types.is_float16(kind) or types.is_float32(kind):
        return "single"
    return "float" if types.is_floating(kind) else "text"


def _kept(column: Any, kind: Kind) -> list[Any]:
    if kind == "single":
        numbers = column.cast("float32").to_numpy(zero_copy_only=False)
        # Python's own floats would show digits that a single does not have.
        values: list[Any] = [float(str(number)) for number in numbers]
        is_null = column.is_null().to_pylist()
        return [None if n else v for n, v in zip(is_null, values, strict=True)]
    values = column.to_pylist()
    if kind != "text":
        return values
    return [None if value is None else str(value) for value in values]


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except AdminError:
        raise
    except OSError as ex:
        said = ex.strerror if ex.errno else "it is damaged or cut short"
        raise AdminError(f"{text_of(path)} cannot be read: {said}") from ex
    # pyarrow's own errors are subclasses of ValueError, KeyError and others; a damaged
    # file may even ask for more memory than there is.
    except (ValueError, KeyError, TypeError, MemoryError, NotImplementedError) as ex:
        raise AdminError(
            f"{text_of(path)} is damaged, cut short, or no Parquet file"
        ) from ex
