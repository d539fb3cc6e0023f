"""A model that somebody gives: its kind is found without any engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundle.archive import HEAD, is_archive
from bundle.bare import folder_name
from bundle.folder import ONNX, SAVED_MODEL
from bundle.foreign import told_by
from bundle.model_file import ENDINGS, GRAPH, KERAS, ONNX_ENDING, is_saved_model
from bundle.params import FILE_NAME as PARAMS
from bundle.tarball import is_header
from bundle.version import model_folder
from bundle.versioned import newest_version
from runtime.admin.errors import AdminError

Kind = Literal["bundle", "keras", "saved_model", "frozen_graph", "onnx"]

# These words name a kind in a sentence.
WORDS: dict[Kind, str] = {
    "bundle": "a bundle",
    "keras": "a Keras file",
    "saved_model": "a SavedModel",
    "frozen_graph": "a frozen graph",
    "onnx": "an ONNX model",
}
# Programs give such names to files of any model.
_COMMON = frozenset({"model", "saved_model", "frozen_graph", "frozen", "graph", "best"})


@dataclass(frozen=True)
class Given:
    """A model on disk.

    Attributes:
        kind: a bundle has params.json, or is an archive; all others have none.
        path: the file, or the folder of a bundle or a SavedModel.
        name: the name that the file or the folder gives to the model; empty if it gives
            none.
    """

    kind: Kind
    path: Path
    name: str


def look_at(path: Path) -> Given:
    """Find the kind of a file or a folder.

    A folder of versions, as TensorFlow Serving and Triton have it, gives its highest
    version.

    Raises:
        AdminError: it is no model, or cannot be read.
    """
    try:
        return _folder(path) if path.is_dir() else _file(path)
    except OSError as ex:
        raise AdminError(f"{path} cannot be read: {ex.strerror}") from ex


def _folder(path: Path) -> Given:
    folder = model_folder(newest_version(path) or path)
    name = folder_name(folder.resolve())
    if (folder / PARAMS).exists():
        return Given("bundle", folder, name)
    graph = folder / SAVED_MODEL
    if graph.is_file():
        if is_saved_model(graph):
            return Given("saved_model", folder, name)
        return Given("frozen_graph", graph, name)
    if (folder / ONNX).is_file():
        return Given("onnx", folder, name)
    found = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in ENDINGS)
    one = f"; it has {found[0]}: give that file" if len(found) == 1 else ""
    several = f"; it has {', '.join(found[:8])}: give one of them"
    raise AdminError(
        f"{path} holds no model: there is no {PARAMS}, {SAVED_MODEL} or {ONNX}"
        + (several if len(found) > 1 else one)
    )


def _file(path: Path) -> Given:
    ending = path.suffix.lower()
    name = "" if path.stem.lower() in _COMMON else path.stem
    # A .keras file is a zip, too.
    if ending in KERAS:
        return Given("keras", path, name)
    if ending == ONNX_ENDING:
        return Given("onnx", path, name)
    if ending == GRAPH:
        if is_saved_model(path):
            return Given("saved_model", path.parent, folder_name(path.parent.resolve()))
        return Given("frozen_graph", path, name)
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if head and not is_header(head) and (told := told_by(head)):
        raise AdminError(f"{path}: {told}")
    if is_archive(head):
        return Given("bundle", path, "")
    raise AdminError(
        f"{path} is no model that is known: give a Keras file ({', '.join(KERAS)}), an"
        " ONNX model (.onnx), a frozen graph (.pb), a SavedModel's folder, or a"
        " bundle's folder or archive (.tar, .tar.gz, .zip)"
    )
