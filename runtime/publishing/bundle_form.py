"""A bundle sent as a form: each field is a file of the bundle, in any order.

TFaaS's fields are ``name``, ``params``, ``model``, ``labels`` and ``op``, which cannot
carry a SavedModel's weights. So a form may here have a field ``variables`` or
``assets`` for each file of those folders, and one field each for ``onnx`` and
``sample``. Files
archive of a bundle's folder, which its content shows; the other fields then add to it.
``file`` is always an archive.
"""

from __future__ import annotations

import filecmp
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypedDict

from bundle.archive import HEAD, is_archive, unpack
from bundle.errors import TooLarge
from bundle.folder import ONNX, SAVED_MODEL
from bundle.leftovers import lies_in_leftover
from bundle.member_names import COMPONENT
from bundle.params import FILE_NAME as PARAMS
from bundle.params_checks import params_from_json
from bundle.params_file import read_stored, write_stored
from bundle.sample import FILE_NAME as SAMPLE
from bundle.upload import Limits, Readable
from runtime.errors import InvalidInput
from runtime.publishing.base64_text import Base64Reader
from runtime.publishing.bundle_name import choose_name

_NAME = "name"
_ARCHIVE = "file"
_FOLDERS = ("variables", "assets")


class BundleForm(TypedDict, total=False):
    """A bundle's files as the fields of a form.

    Attributes:
        name: the model's name.
        params: params.json.
        model: the SavedModel's saved_model.pb, a frozen graph, or an archive.
        labels: the names of the classes, one on each line.
        op: the graph alone, for TFaaS.
        variables: a file of ``variables/``; several are sent as several fields.
        assets: a file of ``assets/``; several are sent as several fields.
        onnx: model.onnx.
        sample: sample.npz.
        file: an archive of the bundle's folder.
    """

    name: str
    params: bytes
    model: bytes
    labels: bytes
    op: bytes
    variables: list[bytes]
    assets: list[bytes]
    onnx: bytes
    sample: bytes
    file: bytes


FIELDS = tuple(BundleForm.__annotations__)

# A file gets this name if it came without one and params.json does not name it.
_NAMES = {"model": SAVED_MODEL, "labels": "labels.txt", "op": "model.graph"}

# A name has at most 128 characters. The limit is larger, so that a client that sent a
# file as the name gets an error about the name.
_MAX_NAME = 1 << 10
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Field:
    """One part of a multipart form, before it is read.

    Attributes:
        name: the field's name.
        filename: the file name that the client sent; None if it sent none.
        stream: the field's content.
    """

    name: str
    filename: str | None
    stream: Readable


@dataclass(frozen=True)
class _File:
    path: Path
    filename: str


def write_form(
    fields: Iterable[Field],
    folder: Path,
    *,
    name: str = "",
    is_base64: bool,
    max_bytes: int,
) -> None:
    """Write the bundle that a form holds; no file of it is held in memory as a whole.

    Args:
        fields: the form's fields, which are read one after the other.
        folder: an empty folder.
        name: the model's name in the request's query; empty if there is none.
        is_base64: whether ``model``, or ``file``, is base64 text.
        max_bytes: the most bytes of all files together.

    Raises:
        InvalidInput: a field is unknown, missing, or sent twice; or two fields
            contradict each other.
        ArchiveError: the archive in the form cannot be taken.
        TooLarge: the files have more bytes together.
        BundleError: params.json is wrong.
    """
    # params may tell the place of a file, and may come last.
    aside = folder / ".fields"
    aside.mkdir()
    form = _Form(aside, name, is_base64, max_bytes)
    for field in fields:
        form.take(field)
    form.arrange(folder)
    shutil.rmtree(aside)


class _Form:
    def __init__(
        self, aside: Path, asked: str, is_base64: bool, max_bytes: int
    ) -> None:
        self._aside = aside
        self._asked = asked
        self._numbers = count()
        self._is_base64 = is_base64
        self._left = self._max_bytes = max_bytes
        self._name = ""
        self._archive: Path | None = None
        self._top = ""  # the name of the archive's folder
        self._files: dict[str, _File] = {}
        self._in_folders: dict[str, Path] = {}  # by name inside the bundle
        self._taken: set[str] = set()

    def take(self, field: Field) -> None:
        """Read one field to its end."""
        if field.name not in FIELDS:
            raise InvalidInput(
                f"the form has an unknown field {field.name[:64]!r}; a bundle's are"
                f" {', '.join(FIELDS)}"
            )
        head = _read_full(field.stream, 1)
        if not head and field.filename == "":
            return  # a browser sends this where nobody chose a file
        stream: Readable = _Joined(head, field.stream)
        if field.name in _FOLDERS:
            self._take_into_folder(field, stream)
            return
        if field.name in self._taken:
            raise InvalidInput(f"the field {field.name!r} is there twice; send one")
        self._taken.add(field.name)
        if field.name == _NAME:
            self._name = _read_name(stream)
            return
        if self._is_base64 and field.name in ("model", _ARCHIVE):
            stream = Base64Reader(stream)
        if field.name == "model":
            head = _read_full(stream, HEAD)
            stream = _Joined(head, stream)
        if field.name == _ARCHIVE or (field.name == "model" and is_archive(head)):
            self._unpack(stream)
            return
        self._files[field.name] = _File(self._write(stream), field.filename or "")

    def arrange(self, folder: Path) -> None:
        """Put every file in its place, and complete params.json."""
        if self._archive:
            for path in self._archive.iterdir():
                path.rename(folder / path.name)
        elif missing := self._find_missing():
            raise InvalidInput(
                f"the field {missing!r} is missing; send params, or name, and model and"
                " labels, and the files of variables/ as fields of that name; or the"
                " archive of the bundle's folder as 'file'"
            )
        for name, path in self._in_folders.items():
            _place(path, folder, name)
        if params := self._files.pop("params", None):
            _place(params.path, folder, PARAMS)
        self._place_by_params(folder)

    def _find_missing(self) -> str:
        """Name a field that a form without an archive lacks; empty if none."""
        if not ("params" in self._files or self._name or self._asked):
            return "params"
        return "" if self._files.keys() & {"model", "onnx"} else "model"

    def _place_by_params(self, folder: Path) -> None:
        has_params = (folder / PARAMS).exists()
        stored = read_stored(folder) if has_params else {}
        content = dict(stored)
        if self._name and not content.get("name"):
            content["name"] = self._name
        elif not content.get("name") and (self._asked or not has_params):
            content["name"] = choose_name(self._asked, self._top)
        params = params_from_json(content)
        if self._name not in ("", params.name):
            raise InvalidInput(
                f"the field 'name' is {self._name[:128]!r} and 'name' in params.json"
                f" is {params.name!r}; send the same in both"
            )
        has_weights = (folder / "variables").is_dir()
        for field, file in self._files.items():
            own = re.split(r"[/\\]", file.filename)[-1]
            if field == "sample":
                name = SAMPLE
            elif field == "onnx" or (field == "model" and own.endswith(".onnx")):
                name = ONNX
            else:
                name = _own_name(field, own, content, has_weights)
            _place(file.path, folder, name)
        if content != stored:
            params_from_json(content)
            write_stored(folder, content)

    def _take_into_folder(self, field: Field, stream: Readable) -> None:
        # A browser that uploads a folder sends its paths, such as variables/.DS_Store.
        parts = re.split(r"[/\\]", field.filename or "")
        if field.name in parts:
            parts = parts[parts.index(field.name) + 1 :]
        else:
            parts = parts[-1:]
        if lies_in_leftover(parts):
            while chunk := stream.read(_CHUNK):
                self._count(len(chunk))
            return
        name = f"{field.name}/{_checked(parts[-1] if parts else '', field.name)}"
        if name in self._in_folders:
            raise InvalidInput(f"the form holds {name!r} twice; send one")
        self._in_folders[name] = self._write(stream)

    def _write(self, stream: Readable) -> Path:
        path = self._aside / str(next(self._numbers))
        with path.open("xb") as target:
            while chunk := stream.read(_CHUNK):
                self._count(len(chunk))
                target.write(chunk)
        return path

    def _unpack(self, stream: Readable) -> None:
        if self._archive:
            raise InvalidInput(
                "the fields 'model' and 'file' both hold an archive; send one"
            )
        self._archive = self._aside / "archive"
        self._archive.mkdir()
        limits = Limits(total_bytes=self._left)
        self._top = unpack(stream, self._archive, limits=limits)
        self._count(
            sum(p.stat().st_size for p in self._archive.rglob("*") if p.is_file())
        )

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge(f"the upload holds more than {self._max_bytes} bytes")


def _own_name(field: str, own: str, content: dict[str, Any], has_weights: bool) -> str:
    """Return a file's name in params.json, which learns the name if it has none."""
    if field == "model" and has_weights:
        # A graph with weights is a SavedModel, which TensorFlow reads by this name.
        content.setdefault("model", SAVED_MODEL)
        return SAVED_MODEL
    content[field] = _checked(content.get(field) or own or _NAMES[field], field)
    return str(content[field])


def _checked(name: str, field: str) -> str:
    if not COMPONENT.fullmatch(name):
        raise InvalidInput(
            f"the file of the field {field!r} is called {name[:128]!r}, which is not"
            " taken; use letters, digits and '_', '-', '.'"
        )
    return name


def _place(path: Path, folder: Path, name: str) -> None:
    target = folder / name
    if target.exists():
        # The form holds an archive, and the same file once more beside it.
        if target.is_file() and filecmp.cmp(path, target, shallow=False):
            return
        raise InvalidInput(f"the form holds two different files {name!r}; send one")
    try:
        target.parent.mkdir(exist_ok=True)
    except FileExistsError:
        raise InvalidInput(
            f"the form holds a file {target.parent.name!r} and files in a folder of"
            " this name"
        ) from None
    path.rename(target)


def _read_name(stream: Readable) -> str:
    data = _read_full(stream, _MAX_NAME)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"the field {_NAME!r} is not a text in UTF-8") from None


def _read_full(stream: Readable, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := stream.read(size - len(data))):
        data += chunk
    return data


class _Joined:
    """A stream of the bytes that were read ahead, and the rest."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = _CHUNK, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        part, self._head = self._head[:size], self._head[size:]
        return part
