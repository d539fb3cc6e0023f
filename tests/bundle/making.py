"""Make bundles and archives by hand, for tests."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from bundle.archive import unpack
from bundle.errors import ArchiveError, TooLarge
from bundle.upload import Limits

Content = Mapping[str, bytes]


def bundle_files(name: str = "mnist", mark: str = "") -> dict[str, bytes]:
    """Return the files of a small whole bundle, each of which carries the mark."""
    params = {"name": name, "labels": "labels.txt", "description": mark}
    return {
        "params.json": json.dumps(params).encode(),
        "labels.txt": f"zero {mark}\none {mark}\n".encode(),
        "saved_model.pb": b"graph " + mark.encode(),
        "variables/variables.index": b"index " + mark.encode(),
        "variables/variables.data-00000-of-00001": b"weights " + mark.encode(),
    }


def write_files(folder: Path, files: Content) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_bundle(folder: Path, name: str = "mnist", mark: str = "") -> None:
    write_files(folder, bundle_files(name, mark))


def read_files(folder: Path) -> dict[str, bytes]:
    """Return each file below a folder, by its path relative to the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    info.size = len(data)
    return info, data


def folder_member(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.DIRTYPE)


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]], gz: bool = False) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(written.getvalue()) if gz else written.getvalue()


def bundle_tar(top: str = "mnist", gz: bool = False) -> bytes:
    files = [member(f"{top}/{name}", data) for name, data in bundle_files().items()]
    return tar_of([folder_member(top), *files], gz)


def check_refused_or_inside(archive: bytes, room: Path) -> None:
    """Check that a damaged archive is refused, or unpacks to plain files of its folder.

    Args:
        archive: the damaged archive.
        room: an empty folder.
    """
    target = room / "target"
    target.mkdir()
    try:
        unpack(io.BytesIO(archive), target, limits=Limits(total_bytes=1 << 20))
    except (ArchiveError, TooLarge) as ex:
        str(ex).encode()  # A reply can carry the sentence.
    assert [path.name for path in room.iterdir()] == ["target"]
    for path in target.rglob("*"):
        assert not path.is_symlink()
        assert path.is_dir() or path.is_file()
