"""Flat folders of models, ``NAME/saved_model.pb``, as TFaaS keeps them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import BundleError
from bundle.folder import Bundle, open_bundle
from bundle.leftovers import is_leftover
from bundle.model_file import ENDINGS
from bundle.params import MODEL_NAME
from bundle.version import MARKS, VERSION_FOLDER, Version
from runtime.admin.errors import AdminError, WorkFailed
from runtime.bundling.given import WORDS

# The state of a file: its inode, its bytes, and the time of its last change.
State = tuple[int, int, int]


@dataclass(frozen=True)
class FlatFolder:
    """A folder that holds a model's files themselves, and no number above them.

    Attributes:
        name: the folder's name, which is the model's.
        kind: ``a SavedModel``, ``a frozen graph`` or ``an ONNX model``; ``broken`` if
            it is none of these.
        labels: the number of its labels.
        bytes: the bytes of its files, without versions that lie beside them.
        reason: why it cannot be served; empty if it can, as far as its files tell.
    """

    name: str
    path: Path
    kind: str
    labels: int
    bytes: int
    reason: str

    def files(self) -> dict[str, Path]:
        """List its files by their names in it; see ``Version.files``.

        Raises:
            OSError: the folder is gone, or cannot be read.
        """
        return Version(self.name, 0, self.path, ()).files()

    def states(self) -> dict[str, State]:
        """Return the state of each file, which tells whether somebody changed one.

        Raises:
            OSError: a file is gone, or cannot be read.
        """
        found = {name: path.stat() for name, path in self.files().items()}
        return {
            name: (status.st_ino, status.st_size, status.st_mtime_ns)
            for name, status in found.items()
        }


def find_flat_folders(root: Path, names: Collection[str] = ()) -> list[FlatFolder]:
    """Find the flat folders of models in a folder, sorted by their names.

    Folders that hold nothing of a model, or numbered versions alone, are passed over.

    Args:
        root: the folder, such as TFaaS's ``modelDir``.
        names: look for these alone; empty is all.

    Raises:
        AdminError: there is no such folder, it is itself a model's, or a name has no
            flat folder in it.
        WorkFailed: the disk cannot be read.
    """
    try:
        if _has_mark(root):
            raise AdminError(
                f"{root} is itself the folder of a model; give the folder above it, and"
                f" the name: runtime models adopt {root.resolve().name} --from"
                f" {root.resolve().parent}"
            )
        paths = {
            path.name: path
            for path in sorted(root.iterdir())
            if path.is_dir() and not is_leftover(path.name)
        }
        missing = [name for name in names if name not in paths]
        if missing:
            raise AdminError(f"{root} has no folder {missing[0]!r}")
        wanted = [paths[name] for name in sorted({*names})] or list(paths.values())
        found = [_look_at(path) for path in wanted if _is_flat(path)]
        flat = {folder.name for folder in found}
        for name in names:
            if name not in flat:
                raise AdminError(
                    f"{paths[name]} is no flat folder of a model: it holds"
                    f" {_content_of(paths[name])}"
                )
        return found
    except (FileNotFoundError, NotADirectoryError):
        raise AdminError(f"there is no folder {root}") from None
    except OSError as ex:
        raise WorkFailed(f"{root} cannot be read: {ex.strerror}") from ex


def _has_mark(folder: Path) -> bool:
    return any((folder / mark).exists() for mark in MARKS)


def _is_flat(folder: Path) -> bool:
    """Tell whether a folder holds a model's files, or what is left of them."""
    if _has_mark(folder):
        return True
    if _versions_in(folder):
        return False
    return any(
        entry.name in ("variables", "labels.txt") or entry.suffix.lower() in ENDINGS
        for entry in folder.iterdir()
    )


def _versions_in(folder: Path) -> bool:
    return any(
        VERSION_FOLDER.fullmatch(entry.name) and entry.is_dir()
        for entry in folder.iterdir()
    )


def _content_of(folder: Path) -> str:
    return "versions alone" if _versions_in(folder) else "no file of a model"


def _look_at(path: Path) -> FlatFolder:
    kind, labels, size, reason = "broken", 0, 0, ""
    try:
        files = Version(path.name, 0, path, ()).files()
        size = sum(file.stat().st_size for file in files.values())
        bundle = open_bundle(path)
        kind, labels = _kind_of(bundle), len(bundle.labels)
    except BundleError as ex:
        reason = str(ex)
    except OSError as ex:  # a folder that nobody may read hides no other
        reason = f"it cannot be read: {ex.strerror}"
    if not MODEL_NAME.fullmatch(path.name):
        reason = (
            f"{path.name!r} is no name for a model: rename the folder; a name has 1 to"
            " 128 letters, digits, '_', '-' or '.', and does not begin with '-' or '.'"
        )
    return FlatFolder(path.name, path, kind, labels, size, reason)


def _kind_of(bundle: Bundle) -> str:
    if bundle.frozen_graph:
        return WORDS["frozen_graph"]
    return WORDS["saved_model" if bundle.has_saved_model else "onnx"]
