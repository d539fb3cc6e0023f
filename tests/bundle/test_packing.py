from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.archive import unpack
from bundle.member_names import COMPONENT
from bundle.packing import pack
from tests.bundle.making import bundle_files, read_files, write_bundle

FILES = bundle_files()
MIB = 1 << 20


def unpacked(folder: Path, data: bytes) -> dict[str, bytes]:
    target = folder / "target"
    target.mkdir()
    unpack(io.BytesIO(data), target)
    return read_files(target)


def packed(folder: Path, top: str = "mnist") -> bytes:
    files = {name: folder / name for name in sorted(read_files(folder))}
    return b"".join(pack(files, top))


@pytest.mark.slow
def test_what_is_packed_the_tar_command_unpacks(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    archive = tmp_path / "mnist.tar.gz"
    archive.write_bytes(packed(tmp_path / "bundle"))
    command = ["tar", "xvfz", archive, "-C", tmp_path]
    done = subprocess.run(command, check=True, timeout=30, capture_output=True)
    assert done.stderr == b""
    names = done.stdout.decode().split()
    assert names == sorted(f"mnist/{name}" for name in FILES)
    assert read_files(tmp_path / "mnist") == FILES


def test_what_is_packed_twice_is_the_same_file(tmp_path: Path) -> None:
    """So digests of downloads differ only where the bundles differ."""
    for folder in ("a", "b"):
        write_bundle(tmp_path / folder)
    os.utime(tmp_path / "b" / "params.json", (1, 1))
    (tmp_path / "b" / "params.json").chmod(0o600)
    assert packed(tmp_path / "a") == packed(tmp_path / "b")


def test_packed_files_carry_no_owner_and_no_time(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    archive = io.BytesIO(packed(tmp_path / "bundle"))
    with tarfile.open(fileobj=archive) as tar:
        for info in tar:
            assert (info.uid, info.gid, info.uname, info.gname) == (0, 0, "", "")
            assert (info.mode, info.mtime) == (0o644, 315532800)  # 1980-01-01
            assert info.isreg()


def test_a_delete_after_the_first_piece_does_not_cut_a_download(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    files = {name: tmp_path / "bundle" / name for name in FILES}
    pieces = pack(files, "mnist")
    shutil.rmtree(tmp_path / "bundle")
    write_bundle(tmp_path / "bundle", mark="another")
    assert unpacked(tmp_path, b"".join(pieces)) == FILES


def test_a_file_that_is_gone_is_told_before_the_first_piece(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(FileNotFoundError):
        pack({"a": tmp_path / "a", "b": tmp_path / "b"}, "mnist")


def test_a_download_that_is_broken_off_closes_its_files(tmp_path: Path) -> None:
    """A file that stays open causes a warning, and a warning fails the test."""
    (tmp_path / "a").write_bytes(bytes(MIB))
    pieces = pack({"a": tmp_path / "a"}, "mnist")
    next(pieces)
    pieces.close()
    pack({"a": tmp_path / "a"}, "mnist").close()


def test_a_file_cut_while_it_is_packed_is_an_error(tmp_path: Path) -> None:
    """The server then cuts the reply, so the client sees that a part is missing."""
    path = tmp_path / "a"
    path.write_bytes(bytes(MIB))
    pieces = pack({"a": path}, "mnist")
    next(pieces)
    os.truncate(path, 10)
    with pytest.raises(EOFError):
        list(pieces)


def is_a_folders(content: dict[str, bytes]) -> bool:
    """Tell whether no name belongs to both a file and a folder."""
    return not any(
        other.startswith(f"{name}/") for name in content for other in content
    )


# All names have small letters, because names that differ only by case are refused, as
# tested above.
names = st.from_regex(COMPONENT, fullmatch=True).map(str.lower)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
contents = st.dictionaries(paths, st.binary(max_size=2000), min_size=1, max_size=6)


@given(content=contents.filter(is_a_folders))
def test_what_is_packed_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, bytes]
) -> None:
    room = tmp_path_factory.mktemp("room")
    content = {**content, "params.json": b"{}"}  # so it is no folder of versions
    files = {name: room / str(number) for number, name in enumerate(content)}
    for name, path in files.items():
        path.write_bytes(content[name])
    assert unpacked(room, b"".join(pack(files, "top"))) == content
