"""The form of the output as Parquet; its spool is a stream of Arrow's batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Kept, Kind, Scored
from runtime.scoring.columns import Columns
from runtime.scoring.parquet_file import NEEDS_PYARROW

# The rows of a row group, which readers take at once.
_GROUP = 1 << 16


class ParquetForm:
    """Row groups of items.

    Args:
        kept: the columns that are kept.

    Raises:
        AdminError: pyarrow is not installed.
    """

    def __init__(self, kept: tuple[Kept, ...]) -> None:
        try:
            import pyarrow
        except ImportError as ex:
            raise AdminError(NEEDS_PYARROW) from ex
        self._kept = kept
        del pyarrow

    def head(self, columns: Columns, numbers: NDArray[Any]) -> bytes:
        """See ``Form``."""
        head: bytes = self._schema(columns, numbers).serialize().to_pybytes()
        return head

    def rows(self, columns: Columns, scored: Scored, numbers: NDArray[Any]) -> bytes:
        """See ``Form``."""
        import pyarrow as pa

        before = columns.texts(scored, numbers)
        schema = self._schema(columns, numbers)
        arrays = [
            pa.array(values, field.type)
            for values, field in zip([*before, *numbers.T], schema, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        rows: bytes = batch.serialize().to_pybytes()
        return rows

    def finish(self, spool: Path, made: Path) -> Path:
        """See ``Form``."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with (
            spool.open("rb") as stream,
            pa.ipc.open_stream(stream) as batches,
            pq.ParquetWriter(made, batches.schema) as writer,
        ):
            waiting: list[Any] = []
            count = 0
            for batch in batches:
                waiting.append(batch)
                count += len(batch)
                if count >= _GROUP:
                    whole = pa.Table.from_batches(waiting)
                    full = count - count % _GROUP
                    writer.write_table(whole.slice(0, full), _GROUP)
                    waiting = whole.slice(full).to_batches()
                    count -= full
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting), _GROUP)
        return made

    def _schema(self, columns: Columns, numbers: NDArray[Any]) -> Any:
        import pyarrow as pa

        kinds: dict[Kind, Any] = {
            "text": pa.string(),
            "int": pa.int64(),
            "float": pa.float64(),
            "single": pa.float32(),
            "bool": pa.bool_(),
        }
        types = [pa.string(), *(kinds[column.kind] for column in self._kept)]
        types += [pa.string()] * bool(columns.labels)
        types += [pa.from_numpy_dtype(numbers.dtype)] * len(columns.names)
        names = (*columns.before, *columns.names)
        return pa.schema(list(zip(names, types, strict=True)))
