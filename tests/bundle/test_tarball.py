from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.archive import unpack
from bundle.errors import ArchiveError, TooLarge
from tests.bundle.making import member, tar_of, write_bundle
from tests.bundle.unpacking import (
    FILES,
    MIB,
    PLAIN,
    octal,
    pax,
    raw_header,
    refused,
    unpacked,
)


@pytest.mark.slow
def test_long_names_of_both_formats_unpack(tmp_path: Path) -> None:
    name = "/".join(["mnist", *["d" * 60] * 3, "f" * 120])
    write_bundle(tmp_path / "src" / "mnist")
    (tmp_path / "src" / name).parent.mkdir(parents=True)
    (tmp_path / "src" / name).write_bytes(b"far")
    for form in ("gnu", "pax"):
        archive = tmp_path / f"{form}.tar"
        command = ["tar", "cf", archive, f"--format={form}", "-C", tmp_path / "src"]
        subprocess.run([*command, "mnist"], check=True, timeout=30)
        (tmp_path / form).mkdir()
        got = unpacked(tmp_path / form, archive.read_bytes())
        assert got[name.removeprefix("mnist/")] == b"far"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_sparse_file_is_refused(tmp_path: Path, version: str) -> None:
    (tmp_path / "src" / "m").mkdir(parents=True)
    with (tmp_path / "src" / "m" / "holes").open("wb") as sparse:
        sparse.seek(10 * MIB)
        sparse.write(b"end")
    command = ["tar", "-c", "-S", "--format=pax", f"--sparse-version={version}"]
    made = subprocess.run(
        [*command, "-C", tmp_path / "src", "m"],
        check=True,
        timeout=30,
        capture_output=True,
    )
    (tmp_path / "to").mkdir()
    refused(tmp_path / "to", made.stdout)


def test_sparse_file_of_the_old_kind_is_refused(tmp_path: Path) -> None:
    info, _ = member("m/holes", kind=tarfile.GNUTYPE_SPARSE)
    assert "a sparse file, 'm/holes'" in refused(tmp_path, tar_of([(info, b"")]))


def sparse_map_1_0(size: int) -> bytes:
    """Return GNU's pax format 1.0: decimal lines before the content are the map."""
    info = tarfile.TarInfo("m/x")
    info.size = size
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "m/x",
        "GNU.sparse.realsize": "1",
    }
    lines = b"%d\n" % (size // 4)
    return info.tobuf(tarfile.PAX_FORMAT) + lines + b"7\n" * ((size - len(lines)) // 2)


def sparse_map_old(size: int) -> bytes:
    """Return GNU's old format: blocks of 21 places and sizes follow the header."""
    header = bytearray(raw_header(b"m/x", octal(0), b"S"))
    header[257:265] = b"ustar  \0"
    header[482:483] = b"\x01"  # more of the map follows
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    block = (b"00000001234\0" + b"00000004321\0") * 21 + b"\x01" + bytes(7)
    return bytes(header) + block * (size // 512)


@pytest.mark.parametrize("made", [sparse_map_1_0, sparse_map_old])
@pytest.mark.parametrize("name", [b"m/x", b"m/.x"])
def test_map_of_a_sparse_file_is_refused_unread(
    tmp_path: Path, made: Callable[[int], bytes], name: bytes
) -> None:
    stream = io.BytesIO(made(8 * MIB).replace(b"m/x", name, 1))
    with pytest.raises(ArchiveError, match="sparse file|damaged"):
        unpack(stream, tmp_path)
    assert stream.tell() <= MIB


@pytest.mark.slow
def test_sparse_file_of_a_terabyte_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "src" / "m").mkdir(parents=True)
    with (tmp_path / "src" / "m" / "holes").open("wb") as sparse:
        sparse.truncate(1 << 40)
    for form in ("gnu", "pax"):
        command = ["tar", "-c", "-S", f"--format={form}", "-C", tmp_path / "src", "m"]
        made = subprocess.run(command, check=True, timeout=30, capture_output=True)
        (tmp_path / form).mkdir()
        sentence = refused(tmp_path / form, made.stdout)
        assert "a sparse file" in sentence or "unpacks to more" in sentence


@pytest.mark.parametrize("key", ["path", "size", "linkpath", "GNU.sparse.map"])
def test_name_or_size_for_all_files_is_refused(tmp_path: Path, key: str) -> None:
    data = pax(pax_record(key, "1"), b"g") + FILE_X + END
    assert f"gives all its files one '{key}'" in refused(tmp_path, data)


def test_size_of_a_members_own_header_counts(tmp_path: Path) -> None:
    """POSIX.1-2001 says so; the member's header may hold 0 or another number."""
    header = raw_header(b"m/x", octal(0))
    data = pax(pax_record("size", "2")) + header + b"hi".ljust(512, b"\0") + END
    assert unpacked(tmp_path, data) == {"x": b"hi"}


@pytest.mark.parametrize("kind", [b"x", b"L", b"K"])
def test_two_headers_of_one_kind_before_a_member_are_refused(
    tmp_path: Path, kind: bytes
) -> None:
    one = pax(pax_record("comment", "c"), kind)
    assert "damaged" in refused(tmp_path, one + one + FILE_X + END)


def base256(size: int) -> bytes:
    """Return GNU's binary size: 0x80 and 11 bytes; sign bits begin a negative one."""
    if size >= 0:
        return b"\x80" + size.to_bytes(11, "big")
    return size.to_bytes(12, "big", signed=True)


END = bytes(1024)


def test_header_by_hand_is_a_tar(tmp_path: Path) -> None:
    for name, size in (("octal", octal(5)), ("binary", base256(5))):
        (tmp_path / name).mkdir()
        data = raw_header(b"m/x", size) + b"hello".ljust(512, b"\0") + END
        assert unpacked(tmp_path / name, data) == {"x": b"hello"}


# tarfile walks to a member's end block by block, and a negative size sends it back to
# where it was (CVE-2025-8194). Either would hold a thread for ever.
@pytest.mark.parametrize("name", [b"m/x", b"m/._x"])
@pytest.mark.parametrize("size", [-1, -512, -1024, 1 << 40, 1 << 62, (1 << 88) - 1])
def test_impossible_size_is_refused_at_once(
    tmp_path: Path, name: bytes, size: int
) -> None:
    refused(tmp_path, raw_header(name, base256(size)) + bytes(2048))


@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
@pytest.mark.parametrize("size", [-1, -512, -1024, 4097, 1 << 20, 1 << 62])
def test_extended_header_of_impossible_size_is_refused(
    tmp_path: Path, kind: bytes, size: int
) -> None:
    data = raw_header(b"h", base256(size), kind) + bytes(2 * MIB)
    assert "too large headers" in refused(tmp_path, data)


def pax_record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


FILE_X = raw_header(b"m/x", octal(2)) + b"hi".ljust(512, b"\0")


def test_comment_of_git_archive_is_taken(tmp_path: Path) -> None:
    data = pax(pax_record("comment", "5" * 40), b"g") + FILE_X + END
    assert unpacked(tmp_path, data) == {"x": b"hi"}


@pytest.mark.parametrize(
    "records",
    [
        pax_record("path", "../evil"),
        pax_record("path", "/evil"),
        pax_record("path", "m/\0evil"),
        pax_record("path", "m/sub/../../evil"),
        pax_record("size", "-512"),
        pax_record("size", "9" * 30),
        pax_record("size", "4611686018427387904"),
        pax_record("GNU.sparse.map", "a,b"),
        pax_record("GNU.sparse.size", "x"),
        pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0"),
        pax_record("linkpath", "/etc") + pax_record("path", "m/../../x"),
        b"0 path=x\n",
        b"9" * 4096,
    ],
)
@pytest.mark.parametrize("kind", [b"x", b"X"])
def test_hostile_extended_header_is_refused_or_without_effect(
    tmp_path: Path, records: bytes, kind: bytes
) -> None:
    try:
        got = unpacked(tmp_path, pax(records, kind) + FILE_X + END)
    except (ArchiveError, TooLarge):
        got = {}
    assert got in ({}, {"x": b"hi"})
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize("kind", [b"x", b"g", b"L"])
def test_chain_of_headers_is_refused(tmp_path: Path, kind: bytes) -> None:
    # Each header is read inside the header before it, so the recursion is as deep as
    # the chain is long.
    chain = (raw_header(b"h", octal(2), kind) + b"a\0".ljust(512, b"\0")) * 1500
    refused(tmp_path, chain + FILE_X + END)


def test_all_headers_together_are_bounded(tmp_path: Path) -> None:
    comment = pax(pax_record("comment", "c" * 4000))
    many = b"".join(comment + raw_header(b"m/%d" % n, octal(0)) for n in range(300))
    assert "too large headers" in refused(tmp_path, many + END)


# The last member's content ends here, and the two blocks of zeros begin.
WHOLE = len(PLAIN.rstrip(b"\0")) // 512 * 512 + 512


@pytest.mark.parametrize(
    "length", [*range(1, WHOLE, 197), *range(512, WHOLE + 1, 512), WHOLE + 1]
)
def test_truncated_tar_is_refused(tmp_path: Path, length: int) -> None:
    assert len(PLAIN) > WHOLE
    refused(tmp_path, PLAIN[:length])


@pytest.mark.parametrize("length", [WHOLE + 512, WHOLE + 1024, len(PLAIN)])
def test_tar_with_its_end_is_whole(tmp_path: Path, length: int) -> None:
    assert unpacked(tmp_path, PLAIN[:length]) == FILES


def test_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    damaged = bytearray(PLAIN)
    second = PLAIN.index(b"mnist/labels.txt")
    damaged[second] ^= 1
    assert "cut short or damaged" in refused(tmp_path, bytes(damaged))
