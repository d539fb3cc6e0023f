"""HDF5 files, read by h5py in pieces: one dataset a column, compounds, or x and y."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.tables.matrix import LABEL, MATRIX, WEIGHT, column_names
from trainer.tables.source import (
    Piece,
    Source,
    check_lengths,
    check_package,
    checked_names,
    nested,
    no_column,
    rows_of,
)

if TYPE_CHECKING:
    import h5py

# Groups that pandas' to_hdf writes have this attribute.
_PANDAS = "pandas_type"


def open_hdf5(path: Path) -> Source:
    """Open an HDF5 file.

    Args:
        path: a file with one dataset ``(N,)`` for each column, one compound dataset
            ``(N,)``, or ``x`` ``(N, F)`` and ``y`` ``(N,)``; at the top or in a group.

    Raises:
        DataError: the file is damaged, or holds no such table.
    """
    check_package("h5py", path)
    import h5py

    try:
        with h5py.File(path) as file:
            group = _group(file, path)
            return _source(path, group)
    except (OSError, KeyError, RuntimeError, ValueError) as ex:
        raise DataError(_damaged(path, ex)) from ex


def _damaged(path: Path, ex: Exception) -> str:
    if isinstance(ex, PermissionError):
        return f"{path} cannot be read: {ex.strerror}"
    return f"{path} is no whole HDF5 file; fetch or write it again"


def _group(file: h5py.File, path: Path) -> h5py.Group:
    import h5py

    group: h5py.Group = file
    # A table may lie in a group of its own, which is alone.
    while len(group) == 1 and isinstance(
        only := next(iter(group.values())), h5py.Group
    ):
        group = only
    if _PANDAS in group.attrs:
        raise DataError(
            f"{path} was written by pandas' to_hdf, in a form of pandas' own; write the"
            " table with to_parquet, and give that file"
        )
    others = [n for n, item in group.items() if not isinstance(item, h5py.Dataset)]
    if others or not len(group):
        held = f"the group {others[0]!r}" if others else "nothing"
        raise DataError(
            f"{path} holds {held}, and no table; give one dataset for each column, one"
            " compound dataset, or x and y"
        )
    return group


def _source(path: Path, group: h5py.Group) -> Source:
    shown, where = str(path), group.name
    datasets: dict[str, Any] = dict(group.items())
    if len(datasets) == 1 and next(iter(datasets.values())).dtype.names:
        ((name, table),) = datasets.items()
        names = checked_names(list(table.dtype.names), shown)
        if table.shape is None or table.ndim != 1:
            raise no_column(shown, name, table.shape)
        return Source(
            shown, names, lambda wanted, _: _fields(path, f"{where}/{name}", wanted)
        )
    if MATRIX in datasets and datasets[MATRIX].ndim == 2:
        features = _features(shown, datasets.get("features"))
        names = column_names(datasets[MATRIX].shape[1], features, shown)
        rest = tuple(n for n in (LABEL, WEIGHT) if n in datasets)
        for name in (MATRIX, *rest):
            _check_dtype(shown, name, datasets[name].dtype)
        for name in rest:
            # (N, 1) is one value a row, too.
            if datasets[name].size != (datasets[name].shape or [0])[0]:
                raise no_column(shown, name, datasets[name].shape)
        check_lengths(shown, {n: datasets[n].shape for n in (MATRIX, *rest)})
        return Source(
            shown,
            checked_names([*names, *rest], shown),
            lambda wanted, _: _matrix(path, where, names, wanted),
            label=LABEL if LABEL in rest else None,
            weight=WEIGHT if WEIGHT in rest else None,
        )
    return Source(
        shown,
        checked_names(list(datasets), shown),
        lambda wanted, _: _columns(path, where, wanted),
    )


def _check_dtype(shown: str, name: str, dtype: np.dtype[Any]) -> None:
    import h5py

    if h5py.check_string_dtype(dtype):
        return
    if dtype.shape or dtype.names or h5py.check_vlen_dtype(dtype):
        raise nested(shown, name, "several values")
    if dtype.kind not in "biuf":
        raise DataError(
            f"{shown}: the column {name!r} holds neither numbers nor texts; make"
            " numbers of it, or name the columns to take with --features"
        )


def _features(shown: str, dataset: h5py.Dataset | None) -> list[str] | None:
    import h5py

    if dataset is None:
        return None
    if not h5py.check_string_dtype(dataset.dtype) or dataset.ndim != 1:
        raise DataError(
            f"{shown}: 'features' holds no list of texts; write the names of the"
            f" columns of {MATRIX!r} there"
        )
    return [str(name) for name in dataset.asstr()[()]]


def _columns(path: Path, where: str, wanted: tuple[str, ...]) -> Iterator[Piece]:
    with _opened(path) as file:
        group = file[where]
        for name in wanted:
            if group[name].ndim != 1 or group[name].shape is None:
                raise no_column(str(path), name, group[name].shape)
            _check_dtype(str(path), name, group[name].dtype)
        check_lengths(str(path), {name: group[name].shape for name in wanted})
        for rows in _slices(len(group[wanted[0]]), len(wanted)):
            yield {name: _values(group[name], rows) for name in wanted}


def _fields(path: Path, where: str, wanted: tuple[str, ...]) -> Iterator[Piece]:
    with _opened(path) as file:
        table = file[where]
        for name in wanted:
            _check_dtype(str(path), name, table.dtype[name])
        for rows in _slices(len(table), len(table.dtype.names)):
            piece = table[rows]
            yield {name: _decoded(piece[name]) for name in wanted}


def _matrix(
    path: Path, where: str, names: tuple[str, ...], wanted: tuple[str, ...]
) -> Iterator[Piece]:
    with _opened(path) as file:
        group = file[where]
        for rows in _slices(len(group[MATRIX]), len(names)):
            values = group[MATRIX][rows]
            yield {
                name: values[:, names.index(name)]
                if name in names
                else _values(group[name], rows).ravel()
                for name in wanted
            }


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file, and translate its errors."""
    import h5py

    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, RuntimeError) as ex:
        raise DataError(_damaged(path, ex)) from ex


def _slices(count: int, columns: int) -> Iterator[slice]:
    step = rows_of(columns)
    for start in range(0, count, step):
        yield slice(start, start + step)


def _values(dataset: h5py.Dataset, rows: slice) -> NDArray[Any]:
    import h5py

    if h5py.check_string_dtype(dataset.dtype):
        return _decoded(np.asarray(dataset[rows], object))
    values: NDArray[Any] = dataset[rows]
    return values


def _decoded(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "SO":
        return values
    texts = np.empty(len(values), object)
    texts[:] = [
        v.decode(errors="replace") if isinstance(v, bytes) else v for v in values
    ]
    return texts
