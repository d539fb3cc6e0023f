"""The choice of the source that reads what a person typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundle.objects.address import Place
from runtime.admin.errors import AdminError
from runtime.scoring.arrays import ArrayFile
from runtime.scoring.chunks import Source
from runtime.scoring.csv_file import CsvFile, read_header
from runtime.scoring.facts import Facts
from runtime.scoring.files import check_readable, text_of
from runtime.scoring.objects import Fetched, fetch, pictures_below
from runtime.scoring.parquet_file import ParquetFile
from runtime.scoring.picture_list import listed_pictures, path_column
from runtime.scoring.pictures import pictures_of
from runtime.scoring.root_file import RootFile

_DATA = (".npz", ".parquet", ".csv", ".root")


def open_source(
    places: Sequence[Place], facts: Facts, key: str, keep: Sequence[str]
) -> Source:
    """Look at an input, and return what reads it.

    Args:
        places: one file of data, or any number of folders and files of pictures; or
            one URL of an object store, of a file of data or of a folder of pictures.
        facts: the model.
        key: the name of the array of a .npz, or of the tree of a .root; empty if nobody
            gave one.
        keep: the columns of a table that are kept.

    Raises:
        AdminError: it cannot be read, or the model does not take it.
        StoreError: the object store does not answer.
    """
    ending = Path(places[0]).suffix.lower()
    if key and ending not in (".npz", ".root"):
        raise AdminError(
            "--key names an array of a .npz or a tree of a .root, and the input is none"
        )
    urls = [place for place in places if isinstance(place, str)]
    if not urls:
        return _open_paths([Path(place) for place in places], facts, key, keep)
    if len(places) > 1:
        raise AdminError(f"{urls[0]} must be the only input; score it alone")
    if ending in _DATA:
        path, identity = fetch(urls[0])
        return Fetched(_open_paths([path], facts, key, keep), identity)
    _check_pictures(facts, keep)
    return pictures_below(urls[0])


def _open_paths(
    paths: Sequence[Path], facts: Facts, key: str, keep: Sequence[str]
) -> Source:
    first = paths[0]
    ending = first.suffix.lower()
    for path in paths:
        if len(paths) > 1 and path.suffix.lower() in _DATA:
            raise AdminError(f"{text_of(path)} must be the only input; score it alone")
        if not path.is_dir():
            check_readable(path)
    if ending not in _DATA or first.is_dir():
        _check_pictures(facts, keep)
        return pictures_of(paths)
    if ending == ".npz":
        if keep:
            raise AdminError("--keep names columns, and a .npz has none")
        return ArrayFile(first, key, facts)
    if ending == ".parquet":
        return ParquetFile(first, facts, keep)
    if ending == ".root":
        return RootFile(first, key, facts, keep)
    header = read_header(first)
    if facts.img_channels and not facts.features and (column := path_column(header)):
        return listed_pictures(first, header, column, keep)
    return CsvFile(first, header, facts, keep)


def _check_pictures(facts: Facts, keep: Sequence[str]) -> None:
    if keep:
        raise AdminError("--keep names columns, and the input is no table")
    if not facts.img_channels:
        raise AdminError(
            f"model {facts.name!r} takes no pictures; give it rows in a .csv, .parquet,"
            " .root or .npz"
        )
