"""The tables of numpy's .npz files: one array a column, or x and y; never a pickle."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.formats.npz import place_of
from trainer.formats.parts import Part
from trainer.tables.matrix import LABEL, WEIGHT, column_names
from trainer.tables.source import (
    Piece,
    Source,
    check_lengths,
    checked_names,
    no_column,
    rows_of,
)

_FEATURES = "features"

# numpy and zipfile raise these errors on damaged files, and MemoryError if a header
# claims too much.
_DAMAGE = (
    ValueError,
    TypeError,
    OverflowError,
    SyntaxError,
    RecursionError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    RuntimeError,
    MemoryError,
)


def npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of an .npz file's arrays by their names, and read no array.

    Raises:
        DataError: the file is damaged.
    """
    with _translated(path), zipfile.ZipFile(path) as archive:
        shapes = {}
        for info in archive.infolist():
            with archive.open(info) as stream:
                version = npy.read_magic(stream)
                read = {
                    (1, 0): npy.read_array_header_1_0,
                    (2, 0): npy.read_array_header_2_0,
                }[version]
                shapes[info.filename.removesuffix(".npy")] = read(stream)[0]
        return shapes


def open_npz(path: Path) -> tuple[Source, ...]:
    """Open an .npz file.

    Args:
        path: a file with one array ``(N,)`` for each column; or ``x`` ``(N, F)`` and
            ``y`` ``(N,)``, and perhaps ``w`` and the names of the columns of ``x`` in
            ``features``; or such arrays with parts, as ``x_train`` and ``x_test``. The
            names may be others that say the same: ``X``, ``data``, ``target``.

    Raises:
        DataError: the file is damaged, or holds no table.
    """
    shapes = npz_shapes(path)
    shown = str(path)
    matrices = matrices_of(shapes)
    if not matrices:
        names = checked_names(list(shapes), shown)
        return (Source(shown, names, lambda wanted, _: _columns(path, shapes, wanted)),)
    features = _features(path) if _FEATURES in shapes else None
    return tuple(
        _matrix_source(path, part, matrix, shapes, features)
        for part, matrix in matrices.items()
    )


def matrices_of(shapes: dict[str, tuple[int, ...]]) -> dict[Part | None, str]:
    """Return the arrays ``(N, F)`` of rows by their part; None is the whole set.

    Args:
        shapes: the shapes of an .npz file's arrays by their names, which may be any
            that say *x*: ``X``, ``x_train``, ``data``.
    """
    return {
        place[0]: name
        for name, shape in shapes.items()
        if len(shape) == 2 and (place := place_of(name)) and place[1] == "images"
    }


def _matrix_source(
    path: Path,
    part: Part | None,
    matrix: str,
    shapes: dict[str, tuple[int, ...]],
    features: list[str] | None,
) -> Source:
    shown = str(path)
    names = column_names(shapes[matrix][1], features, shown)
    rest = {}
    for name, shape in shapes.items():
        is_column = len(shape) > 0 and math.prod(shape) == shape[0]
        if is_column and place_of(name) == (part, "labels"):
            rest[LABEL] = name
    weight = f"{WEIGHT}_{part}" if part else WEIGHT
    if weight in shapes:
        rest[WEIGHT] = weight
    check_lengths(shown, {n: shapes[n] for n in (matrix, *rest.values())})
    return Source(
        shown=f"{shown}:{matrix}" if part else shown,
        names=checked_names([*names, *rest], shown),
        read=lambda wanted, _: _matrix(path, matrix, names, rest, wanted),
        part=part,
        label=LABEL if LABEL in rest else None,
        weight=WEIGHT if WEIGHT in rest else None,
    )


def _features(path: Path) -> list[str]:
    with _translated(path), np.load(path, allow_pickle=False) as archive:
        return [str(name) for name in archive[_FEATURES].ravel()]


def _columns(
    path: Path, shapes: dict[str, tuple[int, ...]], wanted: tuple[str, ...]
) -> Iterator[Piece]:
    for name in wanted:
        if len(shapes[name]) != 1:
            raise no_column(str(path), name, shapes[name])
    check_lengths(str(path), {name: shapes[name] for name in wanted})
    # One array after another, so that the file's float64 are never held all at once.
    for name in wanted:
        yield {name: _loaded(path, name)}


def _matrix(
    path: Path,
    matrix: str,
    names: tuple[str, ...],
    rest: dict[str, str],
    wanted: tuple[str, ...],
) -> Iterator[Piece]:
    places = {name: names.index(name) for name in wanted if name in names}
    if places:
        values = _loaded(path, matrix)
        step = rows_of(len(names))
        for start in range(0, len(values), step):
            piece = values[start : start + step]
            yield {name: piece[:, place] for name, place in places.items()}
    for name in wanted:
        if name in rest:
            yield {name: _loaded(path, rest[name]).ravel()}


def _loaded(path: Path, name: str) -> NDArray[Any]:
    # Pickle is off, because an .npz with objects can run any code of its author.
    with _translated(path), np.load(path, allow_pickle=False) as archive:
        values = archive[name]
        if values.dtype.kind not in "biufU":
            raise DataError(
                f"{path}: the array {name!r} is {values.dtype}, neither numbers nor"
                " texts; make numbers of it"
            )
        loaded: NDArray[Any] = values
    return loaded if loaded.dtype.kind != "U" else loaded.astype(object)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as ex:
        raise DataError(
            f"{path} is no whole .npz file of numbers and texts; make it with"
            " numpy.savez from such arrays alone"
        ) from ex
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex
