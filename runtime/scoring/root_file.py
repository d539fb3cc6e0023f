"""The source of rows in a tree of a ROOT file, TTree or RNTuple, read by uproot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Chunk, Column, Kept, Kind, Table
from runtime.scoring.facts import Facts
from runtime.scoring.files import identity_of, text_of
from runtime.scoring.naming import taken_columns

_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")


class RootFile:
    """Rows of a tree for a model of rows.

    Args:
        path: the file.
        tree: the tree's name, with its folders; empty takes the only one.
        facts: the model.
        keep: the names of branches that are kept.

    Raises:
        AdminError: uproot is not installed, the file is no ROOT file, does not tell
            which tree is meant, or a branch is missing or jagged.
    """

    def __init__(
        self, path: Path, tree: str, facts: Facts, keep: Sequence[str]
    ) -> None:
        self._path = path
        with _opened(path) as file:
            classes = file.classnames(recursive=True, cycle=False)
            self._tree = _chosen(path, tree, classes)
            found = file[self._tree]
            self.total = int(found.num_entries)
            names = found.keys(recursive=False)
            self._taken = taken_columns(text_of(path), names, facts, keep)
            self._names = list(dict.fromkeys((*self._taken, *keep)))
            wanted = self._names.__contains__
            first = found.arrays(filter_name=wanted, entry_stop=1, library="np")
        if not self.total:
            raise AdminError(f"{text_of(path)}: the tree {self._tree} has no entries")
        columns = self._checked(first)
        self.kept = tuple(Kept(name, _kind(columns[name])) for name in keep)

    @property
    def identity(self) -> str:
        """See ``Source``."""
        return identity_of([self._path])

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """See ``Source``."""
        if done == self.total:
            return
        with _opened(self._path) as file:
            # uproot would compute names that it gets as expressions: a-b is a minus b.
            for piece in file[self._tree].iterate(
                filter_name=self._names.__contains__,
                step_size=size,
                entry_start=done,
                library="np",
            ):
                columns = self._checked(piece)
                count = len(columns[self._names[0]])
                yield Chunk(
                    [str(n) for n in range(done, done + count)],
                    Table({name: _values(columns[name]) for name in self._taken}),
                    tuple(_kept(columns[k.name], k.kind) for k in self.kept),
                )
                done += count

    def _checked(self, piece: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        for name in self._names:
            array = piece[name]
            is_text = array.dtype.kind in "OU" and all(
                isinstance(value, str) for value in array.tolist()
            )
            if array.ndim > 1 or not (is_text or array.dtype.kind in "fiub"):
                raise AdminError(
                    f"{text_of(self._path)}: the branch {name!r} has several values, or"
                    " none, for an entry; a model takes one number or text"
                )
        return piece


def _chosen(path: Path, tree: str, classes: Mapping[str, str]) -> str:
    trees = [name for name, kind in classes.items() if kind in _TREES]
    found = [name for name in trees if tree in ("", name)]
    if len(found) == 1:
        return found[0]
    if tree and not found:
        raise AdminError(
            f"{text_of(path)} has no tree {tree!r}; it has {', '.join(trees) or 'none'}"
        )
    raise AdminError(
        f"{text_of(path)} does not tell which tree is meant: it has"
        f" {', '.join(trees) or 'none'}; name it with --key NAME"
    )


def _kind(column: NDArray[Any]) -> Kind:
    kinds: dict[str, Kind] = {"i": "int", "u": "int", "b": "bool", "f": "float"}
    if column.dtype.kind == "f" and column.dtype.itemsize < 8:
        return "single"
    # Some numbers of uint64 are in no other type, and stay as texts.
    if column.dtype.kind == "u" and column.dtype.itemsize == 8:
        return "text"
    return kinds.get(column.dtype.kind, "text")


def _values(column: NDArray[Any]) -> Column:
    return column.tolist() if column.dtype.kind in "OU" else column


def _kept(column: NDArray[Any], kind: Kind) -> list[Any]:
    if kind == "single":
        # Python's own floats would show digits that a single does not have.
        return [float(str(number)) for number in column.astype(np.float32)]
    values: list[Any] = column.tolist()
    return [str(value) for value in values] if kind == "text" else values


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import uproot
    except ImportError as ex:
        raise AdminError(
            "ROOT needs the package uproot, which is not installed: pip install"
            " 'tfaas-onnx[data]'"
        ) from ex
    try:
        with uproot.open(path) as file:
            yield file
    except AdminError:
        raise
    # uproot, struct, numpy and the compressions raise errors of many kinds on damaged
    # files, and none of them is a bug of this project.
    except Exception as ex:
        raise AdminError(
            f"{text_of(path)} is damaged, cut short, or no ROOT file"
        ) from ex
