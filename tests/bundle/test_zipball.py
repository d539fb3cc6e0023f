"""Zips that people make with their desktops are taken; harmful ones are refused."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.archive import is_archive, unpack
from bundle.errors import ArchiveError, TooLarge
from bundle.upload import Limits, Readable
from tests.bundle.making import (
    bundle_files,
    check_refused_or_inside,
    read_files,
    write_bundle,
)

FILES = bundle_files()
MIB = 1 << 20


def zip_of(
    files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, top: str = "mnist/"
) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(top + name, data)
    return target.getvalue()


def unpacked(
    folder: Path, data: bytes | Readable, limits: Limits | None = None
) -> dict[str, bytes]:
    target = folder / "target"
    target.mkdir()
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    unpack(stream, target, limits=limits or Limits())
    return read_files(target)


def refused(folder: Path, data: bytes, limits: Limits | None = None) -> str:
    """Return the sentence that refuses a zip; no file may lie outside the target."""
    with pytest.raises((ArchiveError, TooLarge)) as caught:
        unpacked(folder, data, limits)
    assert [path.name for path in folder.iterdir()] == ["target"]
    assert str(folder) not in str(caught.value)
    return str(caught.value)


# --- accepted files


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_unpacks(tmp_path: Path, method: int) -> None:
    assert unpacked(tmp_path, zip_of(FILES, method)) == FILES
    assert is_archive(zip_of(FILES, method)[:512])


@pytest.mark.slow
def test_zip_of_pythons_command_unpacks(tmp_path: Path) -> None:
    """Python's command writes separate entries for folders."""
    write_bundle(tmp_path / "src" / "mnist")
    archive = tmp_path / "mnist.zip"
    command = [sys.executable, "-m", "zipfile", "-c", archive, "mnist/"]
    subprocess.run(command, check=True, timeout=30, cwd=tmp_path / "src")
    assert unpacked(tmp_path, archive.read_bytes()) == FILES


def test_zip_written_to_a_pipe_unpacks(tmp_path: Path) -> None:
    """Each entry's sizes stand behind it then, and zip64's fields may be there."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object, /) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(data)  # type: ignore[arg-type]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for name, data in FILES.items():
            with archive.open(f"mnist/{name}", "w", force_zip64=True) as entry:
                entry.write(data)
    assert unpacked(tmp_path, pipe.data) == FILES


def test_zip_that_comes_in_drops_unpacks(tmp_path: Path) -> None:
    class Drops:
        def __init__(self, data: bytes) -> None:
            self.stream = io.BytesIO(data)

        def read(self, size: int = -1, /) -> bytes:
            return self.stream.read(min(size, 7))

    assert unpacked(tmp_path, Drops(zip_of(FILES))) == FILES


def test_gzipped_zip_unpacks(tmp_path: Path) -> None:
    assert unpacked(tmp_path, gzip.compress(zip_of(FILES))) == FILES


def test_what_desktops_add_is_passed_over(tmp_path: Path) -> None:
    added = {
        "__MACOSX/mnist/._labels.txt": b"x",
        "mnist/.DS_Store": b"x",
        "mnist/Thumbs.db": b"x",
        "mnist/__pycache__/a.pyc": b"x",
    }
    files = {f"mnist/{name}": data for name, data in FILES.items()}
    assert unpacked(tmp_path, zip_of({**added, **files}, top="")) == FILES


def test_zip_of_windows_powershell_unpacks(tmp_path: Path) -> None:
    """PowerShell writes backslashes in names, and says that MS-DOS made them."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in {**FILES, "assets/": b""}.items():
            info = zipfile.ZipInfo("mnist/" + name)
            info.filename = info.filename.replace("/", "\\")
            info.create_system = 0
            archive.writestr(info, data)
    assert unpacked(tmp_path, target.getvalue()) == FILES
    assert (tmp_path / "target" / "assets").is_dir()


def test_highest_of_several_versions_is_taken(tmp_path: Path) -> None:
    versions = {
        f"{number}/{name}": data
        for number in ("2", "10", "9")
        for name, data in bundle_files(mark=number).items()
    }
    assert unpacked(tmp_path, zip_of(versions)) == bundle_files(mark="10")


def test_nothing_of_the_zip_itself_is_left(tmp_path: Path) -> None:
    unpacked(tmp_path, zip_of(FILES))
    tops = {name.partition("/")[0] for name in FILES}
    assert {path.name for path in (tmp_path / "target").iterdir()} == tops


# --- refused files, and the sentences


def zip_with_mode(mode: int) -> bytes:
    info = zipfile.ZipInfo("mnist/x")
    info.create_system = 3  # Unix
    info.external_attr = mode << 16
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return target.getvalue()


def dotdot_of_windows() -> bytes:
    info = zipfile.ZipInfo("x")
    info.filename = "mnist\\..\\..\\x"
    info.create_system = 0
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(info, "")
    return target.getvalue()


def patched(data: bytes, place: int, value: bytes) -> bytes:
    """Change one field of the first entry, in its header and in the directory's."""
    entry = data.index(b"PK\x01\x02")
    head = data[: place - 2] + value + data[place - 2 + len(value) :]
    at = entry + place
    return head[:at] + value + head[at + len(value) :]


ONE = zip_of({"x": b"content"}, zipfile.ZIP_STORED)
REFUSED = {
    "link": (zip_with_mode(stat.S_IFLNK | 0o777), "a link, 'mnist/x'"),
    "device": (zip_with_mode(stat.S_IFCHR | 0o666), "a special file, 'mnist/x'"),
    "pipe": (zip_with_mode(stat.S_IFIFO | 0o666), "a special file, 'mnist/x'"),
    "absolute": (zip_of({"/mnist/x": b""}, top=""), "an absolute name, '/mnist/x'"),
    "dotdot": (zip_of({"mnist/../../x": b""}, top=""), "'mnist/../../x'"),
    "dotdot-of-windows": (dotdot_of_windows(), "'mnist/../../x'"),
    "backslash": (zip_of({"a\\b": b""}), "a name that is not taken"),
    "drive": (zip_of({"C:x": b""}), "a name that is not taken"),
    "two-tops": (zip_of({"a/x": b"", "b/x": b""}, top=""), "several top folders"),
    "loose": (zip_of({"notes.txt": b"{}"}, top=""), "outside any folder"),
    "by-case": (zip_of({"x": b"", "X": b""}), "'mnist/x' and 'mnist/X'"),
    "file-and-folder": (zip_of({"x": b"", "x/y": b""}), "is a file and a folder"),
    "empty": (zip_of({}), "the archive is empty"),
    # Flags stand at 8, and the method at 10, of the directory's header (APPNOTE 4.4.4
    # and 4.4.5).
    "encrypted": (patched(ONE, 8, b"\x01\0"), "an encrypted file, 'mnist/x'"),
    "bzip2": (zip_of({"x": b"1"}, zipfile.ZIP_BZIP2), "neither stored nor deflated"),
    "lzma": (zip_of({"x": b"1"}, zipfile.ZIP_LZMA), "neither stored nor deflated"),
    "wrong-checksum": (ONE.replace(b"content", b"CONTENT"), "not a whole zip"),
    "cut": (ONE[:-30], "not a whole zip"),
    "keras": (
        zip_of({"config.json": b"{}", "metadata.json": b"{}"}, top=""),
        "runtime models push FILE",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_zip_is_refused(tmp_path: Path, case: str) -> None:
    data, sentence = REFUSED[case]
    assert sentence in refused(tmp_path, data)


def test_file_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(target, "w") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("mnist/x", "1")
        archive.writestr("mnist/x", "2")
    assert "holds 'mnist/x' twice" in refused(tmp_path, target.getvalue())


@pytest.mark.parametrize("claimed", [1, 6, 8, 1 << 20])
def test_size_that_is_not_true_is_refused(tmp_path: Path, claimed: int) -> None:
    data = zip_of({"x": b"content"})  # the size, 7, stands at 24
    lied = patched(data, 24, struct.pack("<I", claimed))
    assert "not a whole zip" in refused(tmp_path, lied)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Zip bombs of 42 kB unpack to terabytes in this way (Fifield, 2019)."""
    data = zip_of({"a": bytes(1000), "b": bytes(1000)}, zipfile.ZIP_STORED)
    # The second entry's data begin where the first's do: 4.3.12 has the place at byte
    # 42.
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    overlapping = data[: second + 42] + bytes(4) + data[second + 46 :]
    assert "not a whole zip" in refused(tmp_path, overlapping)


def test_what_all_entries_claim_is_bounded(tmp_path: Path) -> None:
    data = zip_of({str(number): bytes(MIB) for number in range(3)})
    assert len(data) < 20_000
    sentence = refused(tmp_path, data, Limits(total_bytes=2 * MIB))
    assert "unpacks to more than 2097152 bytes" in sentence
    assert not any((tmp_path / "target").iterdir())


def test_ratio_is_bounded_by_what_came(tmp_path: Path) -> None:
    """The ratio counts even if gzip around the zip hides how small it is."""
    limits = Limits(ratio=200, ratio_from=0)
    for number, data in enumerate(
        (zip_of({"x": bytes(MIB)}), gzip.compress(zip_of({"x": bytes(MIB)})))
    ):
        room = tmp_path / str(number)
        room.mkdir()
        assert "unpacks to more than" in refused(room, data, limits)


def test_number_of_entries_is_bounded(tmp_path: Path) -> None:
    data = zip_of({str(number): b"" for number in range(11)})
    assert "more than 10 files" in refused(tmp_path, data, Limits(members=10))


def test_zip_itself_is_bounded(tmp_path: Path) -> None:
    data = zip_of({"x": bytes(MIB)}, zipfile.ZIP_STORED)
    limits = Limits(total_bytes=1_000_000)
    assert "larger than 1000000 bytes" in refused(tmp_path, data, limits)


def test_directory_beyond_its_bound_is_refused_unread(tmp_path: Path) -> None:
    """A zip may be nothing but its directory, which would fill the memory."""
    entry = ONE[ONE.index(b"PK\x01\x02") : ONE.index(b"PK\x05\x06")]
    count = (2 * MIB) // len(entry)
    start = ONE[: ONE.index(b"PK\x01\x02")]
    end = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, 9, 9, count * len(entry), len(start), 0
    )
    assert "not a whole zip" in refused(tmp_path, start + entry * count + end)


@given(data=st.data())
def test_damaged_zip_is_refused_or_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = zip_of({"a": b"", "l" * 50: b"12" * 40, "z/y": b"3"})
    damaged = bytearray(whole)
    places = st.integers(0, len(whole) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=5)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    check_refused_or_inside(damaged, tmp_path_factory.mktemp("room"))
