"""The sources of a path: one file, one tree of a file, or a folder of files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bundle.foreign import GZIP, HDF5
from bundle.zipball import MAGIC as ZIP
from trainer.errors import DataError
from trainer.formats.image_list import is_image_list
from trainer.formats.parts import Part, part_of
from trainer.tables.csv_files import csv_header, open_csv
from trainer.tables.hdf5_files import open_hdf5
from trainer.tables.npz_files import matrices_of, npz_shapes, open_npz
from trainer.tables.parquet_files import open_parquet
from trainer.tables.root_files import MAGIC as ROOT
from trainer.tables.root_files import open_root
from trainer.tables.source import Source

_PARQUET = b"PAR1"
_HEAD = 16
# The smallest images that the default network takes have 10 x 10 pixels.
_LEAST_PIXELS = 100

# The format of a file by the ending of its name, in lower case.
_FORMATS = {
    ".csv": "CSV",
    ".tsv": "CSV",
    ".csv.gz": "CSV",
    ".tsv.gz": "CSV",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".npz": "NumPy",
    ".root": "ROOT",
}
_MAGIC = {
    _PARQUET: "Parquet",
    HDF5: "HDF5",
    ROOT: "ROOT",
    **dict.fromkeys(ZIP, "NumPy"),
}
_OPENERS: dict[str, Callable[[Path], tuple[Source, ...]]] = {
    "CSV": lambda path: (open_csv(path),),
    "Parquet": lambda path: (open_parquet(path),),
    "HDF5": lambda path: (open_hdf5(path),),
    "NumPy": open_npz,
    "ROOT": lambda path: (open_root(path),),
}


def is_table(path: Path, *, named: bool = False) -> bool:
    """Tell whether a path is a table, and no images, by names and first bytes alone.

    A CSV file is one, unless its header says that it lists pictures. A damaged file is
    one if its name says so, so that its reader tells the damage.

    Args:
        path: see ``open_tables``.
        named: a person named columns, so rows of an .npz are no pixels.
    """
    file, tree = _split(path)
    if tree is not None:
        return True
    if file.is_dir():
        tables = _tables_in(file)
        return bool(tables) and all(is_table(found, named=named) for found in tables)
    kind = _format_by_name(file)
    try:
        if kind == "NumPy":
            return _holds_rows(npz_shapes(file), named=named)
        if kind == "CSV":
            return not is_image_list(csv_header(file))
    except DataError:
        # The reader of images tells of a damaged .npz, as it always did.
        return kind != "NumPy"
    return kind is not None


def _holds_rows(shapes: dict[str, tuple[int, ...]], *, named: bool) -> bool:
    """Tell whether the arrays of an .npz are a table, and no images.

    Rows of a square number of values may be the pixels of square images. People then
    say by an option such as ``--label`` that they are a table.
    """
    if any(len(shape) > 2 for shape in shapes.values()):
        return False
    matrices = matrices_of(shapes)
    widths = {shapes[name][1] for name in matrices.values()}
    return named or not any(map(_may_be_pixels, widths))


def _may_be_pixels(width: int) -> bool:
    if width < _LEAST_PIXELS:
        return False
    return any(
        width % channels == 0
        and math.isqrt(width // channels) ** 2 == width // channels
        for channels in (1, 3)
    )


def open_tables(path: Path) -> tuple[Source, ...]:
    """Open all tables of a path.

    Args:
        path: a file; ``file.root:tree``; or a folder of files of one format, whose
            names may tell a part (``train.csv``, ``test-2.csv``).

    Returns:
        The sources in the order of their names, with the same columns each.

    Raises:
        DataError: there is no table, or the tables differ in their columns.
    """
    file, tree = _split(path)
    if tree is not None:
        return (open_root(_existing(file), tree),)
    if not file.is_dir():
        return _alike(_opened(_existing(file)))
    files = _tables_in(file)
    if not files:
        raise DataError(f"{file} holds no tables; give {_known()}")
    kinds = {_format_by_name(found) for found in files}
    if len(kinds) > 1:
        raise DataError(
            f"{file} holds tables of several formats"
            f" ({', '.join(sorted(map(str, kinds)))}); leave those of one format there"
        )
    return _alike(
        tuple(
            replace(source, part=source.part or _part(found))
            for found in files
            for source in _opened(found)
        )
    )


def _alike(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Check that the tables, which are joined, have the same columns."""
    first = sources[0]
    for other in sources[1:]:
        if set(other.names) != set(first.names):
            (name, *_) = sorted(set(first.names) ^ set(other.names))
            lacking, having = (other, first) if name in first.names else (first, other)
            raise DataError(
                f"{lacking.shown} has no column {name!r}, which {having.shown} has;"
                " tables that are joined must have the same columns"
            )
    return sources


def _split(path: Path) -> tuple[Path, str | None]:
    """Split ``file.root:folder/tree`` into the file and the tree."""
    if path.exists():
        return path, None
    found = re.fullmatch(r"(.+\.root):(.+)", str(path), re.IGNORECASE)
    return (Path(found[1]), found[2]) if found else (path, None)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"there is no file or folder {path}; check the path")
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder; check the path")
    return path


def _tables_in(folder: Path) -> list[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError as ex:
        raise DataError(f"{folder} cannot be read: {ex.strerror}") from ex
    return [
        path
        for path in found
        if not path.name.startswith(".") and path.is_file() and _format_by_name(path)
    ]


def _format_by_name(path: Path) -> str | None:
    name = path.name.lower()
    return next((_FORMATS[e] for e in _FORMATS if name.endswith(e)), None)


def _opened(path: Path) -> tuple[Source, ...]:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex
    if not head:
        raise DataError(f"{path} is empty; fetch or write it again")
    named = _format_by_name(path)
    found = next((kind for mark, kind in _MAGIC.items() if head.startswith(mark)), None)
    is_text = head.startswith(GZIP) or b"\0" not in head
    if named == "CSV" and found is None and is_text:
        return _OPENERS["CSV"](path)
    if named and found != named:
        held = f"holds {found}" if found else "has other first bytes"
        raise DataError(
            f"{path} is no {named} file, as its name says: it {held}; give it the right"
            " name, or fetch it again"
        )
    if found is None:
        raise DataError(f"{path} is no table of a known format; give {_known()}")
    return _OPENERS[found](path)


def _part(path: Path) -> Part | None:
    """Find the part in a file's name: ``train.csv``, ``test_1.parquet``."""
    words = re.split(r"[-_. ]", path.name)
    return next((part for word in words if (part := part_of(word))), None)


def _known() -> str:
    return "a .csv, .parquet, .h5, .npz or .root file, or a folder of such files"
