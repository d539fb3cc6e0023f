"""Parquet files, read by pyarrow in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.tables.source import (
    Piece,
    Source,
    check_package,
    checked_names,
    nested,
    rows_of,
)

if TYPE_CHECKING:
    import pyarrow as pa


def open_parquet(path: Path) -> Source:
    """Open a Parquet file.

    Raises:
        DataError: the file is damaged, or is something else.
    """
    check_package("pyarrow", path)
    import pyarrow as pa
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(path)
    # The names of damaged columns may be no text.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as ex:
        raise DataError(_damaged(path, ex)) from ex
    return Source(
        shown=str(path),
        names=checked_names(list(schema.names), str(path)),
        read=lambda wanted, mixed: _pieces(path, schema, wanted),
    )


def _damaged(path: Path, ex: Exception) -> str:
    if isinstance(ex, OSError) and ex.strerror:
        return f"{path} cannot be read: {ex.strerror}"
    return f"{path} is no whole Parquet file; fetch or write it again"


def _pieces(path: Path, schema: pa.Schema, wanted: tuple[str, ...]) -> Iterator[Piece]:
    import pyarrow as pa
    from pyarrow import parquet

    for name in wanted:
        _check_type(str(path), name, schema.field(name).type)
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(rows_of(len(wanted)), columns=list(wanted)):
                yield {name: _values(batch.column(name)) for name in wanted}
    # The names of damaged columns may be no text.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as ex:
        raise DataError(_damaged(path, ex)) from ex


def _check_type(shown: str, name: str, kind: pa.DataType) -> None:
    from pyarrow import types

    if types.is_nested(kind):
        raise nested(shown, name, f"a {kind}")
    if types.is_dictionary(kind):
        kind = kind.value_type
    if not (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or types.is_null(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
    ):
        raise DataError(
            f"{shown}: the column {name!r} is {kind}, neither numbers nor texts; make"
            " numbers of it, or name the columns to take with --features"
        )


def _values(column: pa.Array) -> NDArray[Any]:
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if types.is_decimal(kind) or types.is_null(kind):
        column = column.cast(pa.float64())
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values if values.dtype != np.float16 else values.astype(np.float32)
