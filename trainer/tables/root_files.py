"""The trees of ROOT files, TTree and RNTuple, read by uproot in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

MAGIC = b"root"
_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
# A sentence names this many trees at most.
_NAMED = 10


def open_root(path: Path, tree: str | None = None) -> Source:
    """Open a tree of a ROOT file.

    Args:
        path: the file.
        tree: the tree's name, with its folders; None is the only tree of the file.

    Raises:
        DataError: the file is damaged, or it does not hold that tree, or several trees
            and ``tree`` names none.
    """
    check_package("uproot", path)
    import uproot

    try:
        with uproot.open(path) as file:
            # The newest cycle of a tree is the last one written.
            classes = file.classnames(recursive=True, cycle=False)
            name = _tree_of(path, classes, tree)
            names = list(file[name].keys(recursive=False))
    except DataError:
        raise
    # uproot, struct, numpy and the compressions raise errors of many kinds on damaged
    # files, and none of them is a bug of this project.
    except Exception as ex:
        raise DataError(_damaged(path, ex)) from ex
    shown = f"{path}:{name}"
    return Source(
        shown=shown,
        names=checked_names(names, shown),
        read=lambda wanted, _: _pieces(path, name, wanted),
    )


def _tree_of(path: Path, classes: dict[str, str], tree: str | None) -> str:
    trees = [name for name, kind in classes.items() if kind in _TREES]
    shown = ", ".join(trees[:_NAMED]) + (" and others" if len(trees) > _NAMED else "")
    if tree is not None:
        if tree not in trees:
            has = f"it has {shown}" if trees else "it has none"
            raise DataError(f"{path} has no tree {tree!r}; {has}")
        return tree
    if not trees:
        raise DataError(f"{path} holds no tree; give a file with a TTree or an RNTuple")
    if len(trees) > 1:
        raise DataError(
            f"{path} holds the trees {shown}; name one, as in {path}:{trees[0]}"
        )
    return trees[0]


def _damaged(path: Path, ex: Exception) -> str:
    if isinstance(ex, PermissionError):
        return f"{path} cannot be read: {ex.strerror}"
    return f"{path} is no whole ROOT file; fetch or write it again"


def _pieces(path: Path, tree: str, wanted: tuple[str, ...]) -> Iterator[Piece]:
    import uproot

    shown = f"{path}:{tree}"
    try:
        with uproot.open(path) as file:
            pieces = file[tree].iterate(
                list(wanted), step_size=rows_of(len(wanted)), library="np"
            )
            for piece in pieces:
                yield {name: _values(shown, name, piece[name]) for name in wanted}
    except DataError:
        raise
    # uproot, struct, numpy and the compressions raise errors of many kinds on damaged
    # files, and none of them is a bug of this project.
    except Exception as ex:
        raise DataError(_damaged(path, ex)) from ex


def _values(shown: str, name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim > 1:
        raise nested(shown, name, f"{values.shape[1]} values")
    if values.dtype.kind in "OU":
        texts = values.astype(object)
        if not all(isinstance(value, str) for value in texts):
            raise nested(shown, name, "a list of values")
        return texts
    if values.dtype.names:
        raise nested(shown, name, "a record")
    return (
        values
        if values.dtype.isnative
        else values.astype(values.dtype.newbyteorder("="))
    )
