from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.archive import Limits, is_archive, unpack
from bundle.errors import ArchiveError, TooLarge
from tests.bundle.making import (
    bundle_files,
    bundle_tar,
    check_refused_or_inside,
    folder_member,
    member,
    read_files,
    tar_of,
    write_bundle,
)

FILES = bundle_files()
MIB = 1 << 20


class Drops:
    """A stream that gives a few bytes for each read, as sockets may."""

    def __init__(self, data: bytes, size: int) -> None:
        self._stream = io.BytesIO(data)
        self._size = size

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(min(size, self._size))


def unpacked(
    folder: Path, data: bytes, gzipped: bool = False, limits: Limits | None = None
) -> dict[str, bytes]:
    target = folder / "target"
    target.mkdir()
    unpack(io.BytesIO(data), target, gzipped=gzipped, limits=limits or Limits())
    return read_files(target)


def refused(
    folder: Path, data: bytes, gzipped: bool = False, limits: Limits | None = None
) -> str:
    """Return the sentence that refuses an archive; no file may lie outside."""
    with pytest.raises((ArchiveError, TooLarge)) as caught:
        unpacked(folder, data, gzipped, limits)
    assert [path.name for path in folder.iterdir()] == ["target"]
    assert str(folder) not in str(caught.value)
    return str(caught.value)


# --- accepted files


@pytest.mark.slow
@pytest.mark.parametrize("options", ["cf", "cfz"])
@pytest.mark.parametrize("form", ["gnu", "pax", "ustar", "v7"])
def test_archive_of_the_tar_command_unpacks(
    tmp_path: Path, options: str, form: str
) -> None:
    write_bundle(tmp_path / "src" / "mnist")
    archive = tmp_path / "mnist.tar"
    command = ["tar", options, archive, f"--format={form}", "-C", tmp_path / "src"]
    subprocess.run([*command, "mnist"], check=True, timeout=30)
    assert unpacked(tmp_path, archive.read_bytes()) == FILES


@pytest.mark.slow
def test_archive_of_a_dotted_path_unpacks(tmp_path: Path) -> None:
    write_bundle(tmp_path / "src" / "mnist")
    archive = tmp_path / "mnist.tar.gz"
    command = ["tar", "cfz", archive, "-C", tmp_path / "src", "./mnist"]
    subprocess.run(command, check=True, timeout=30)
    assert unpacked(tmp_path, archive.read_bytes(), gzipped=True) == FILES


@pytest.mark.slow
def test_archive_of_everything_in_a_folder_unpacks(tmp_path: Path) -> None:
    write_bundle(tmp_path / "src" / "mnist")
    archive = tmp_path / "mnist.tar"
    command = ["tar", "cf", archive, "-C", tmp_path / "src", "."]
    subprocess.run(command, check=True, timeout=30)
    assert unpacked(tmp_path, archive.read_bytes()) == FILES


@pytest.mark.slow
def test_archive_of_a_folders_content_unpacks(tmp_path: Path) -> None:
    """MLaaS4HEP's server packs a bundle so: ``tar -C DIR .``."""
    write_bundle(tmp_path / "src" / "mnist")
    archive = tmp_path / "mnist.tar"
    command = ["tar", "cf", archive, "-C", tmp_path / "src" / "mnist", "."]
    subprocess.run(command, check=True, timeout=30)
    assert unpacked(tmp_path, archive.read_bytes()) == FILES


@pytest.mark.parametrize("last", sorted(FILES))
def test_files_without_a_folder_may_come_in_any_order(
    tmp_path: Path, last: str
) -> None:
    names = sorted(FILES, key=lambda name: name == last)
    data = tar_of(member(f"./{name}", FILES[name]) for name in names)
    assert unpacked(tmp_path, data) == FILES


@pytest.mark.parametrize(
    ("top", "name"),
    [
        ("mnist", "mnist"),
        ("./mnist", "mnist"),
        (".", ""),
        ("1", ""),
        ("model.savedmodel", ""),
        ("mnist/1/model.savedmodel", "mnist"),
        ("1/model.savedmodel", ""),
    ],
)
def test_name_of_the_top_folder_is_told(tmp_path: Path, top: str, name: str) -> None:
    assert unpack(io.BytesIO(bundle_tar(top)), tmp_path) == name


def test_saved_model_of_triton_is_lifted_out_of_its_version(tmp_path: Path) -> None:
    files = {
        name: data for name, data in FILES.items() if name.startswith(("saved", "var"))
    }
    inside = [
        member(f"mnist/3/model.savedmodel/{name}", data) for name, data in files.items()
    ]
    data = tar_of([member("mnist/config.pbtxt", b"name: 'mnist'"), *inside])
    assert unpacked(tmp_path, data) == files


def test_params_beside_a_saved_model_of_triton_are_kept(tmp_path: Path) -> None:
    files = {"params.json": b"{}", "model.savedmodel/saved_model.pb": b"graph"}
    data = tar_of(member(f"mnist/{name}", files[name]) for name in files)
    assert unpacked(tmp_path, data) == files


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


def test_archive_without_folder_entries_unpacks(tmp_path: Path) -> None:
    data = tar_of([member(f"mnist/{name}", data) for name, data in FILES.items()])
    assert unpacked(tmp_path, data) == FILES


def test_empty_folder_is_kept(tmp_path: Path) -> None:
    data = tar_of([folder_member("mnist"), folder_member("mnist/assets")])
    assert unpacked(tmp_path, data) == {}
    assert (tmp_path / "target" / "assets").is_dir()


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/params-checkpoint.json",
        ".gitattributes",
        ".git/objects/pack/p",
        "variables/.gitkeep",
        "__pycache__/x.cpython-311.pyc",
        "assets/Thumbs.db",
        "Desktop.ini",
        "__MACOSX/x",
        "._x/config",
    ],
)
def test_what_programs_leave_is_passed_over(tmp_path: Path, name: str) -> None:
    tar = tar_of([member(f"m/{name}", b"left"), member("m/params.json", b"{}")])
    assert unpacked(tmp_path, tar) == {"params.json": b"{}"}


def test_link_among_what_is_passed_over_is_not_made(tmp_path: Path) -> None:
    link = member("m/.git/link", kind=tarfile.SYMTYPE, link="/etc")
    tar = tar_of([link, member("m/.git/link/x", b"x"), member("m/labels.txt", b"a")])
    assert unpacked(tmp_path, tar) == {"labels.txt": b"a"}


def test_folder_of_one_version_is_that_version(tmp_path: Path) -> None:
    files = [member(f"mnist/1/{name}", data) for name, data in FILES.items()]
    assert unpacked(tmp_path, tar_of([folder_member("mnist"), *files])) == FILES


def test_companions_of_macos_are_passed_over(tmp_path: Path) -> None:
    data = tar_of(
        [
            member("._mnist", b"attributes"),
            folder_member("mnist"),
            member("mnist/._labels.txt", b"attributes"),
            member("mnist/labels.txt", b"zero\n"),
            member("mnist/.DS_Store", b"view"),
            member("mnist/variables/._x", b"attributes"),
        ]
    )
    assert unpacked(tmp_path, data) == {"labels.txt": b"zero\n"}


def test_modes_and_owners_of_the_archive_are_not_taken(tmp_path: Path) -> None:
    info, data = member("mnist/tool", b"#!/bin/sh")
    info.mode, info.uid, info.gid = 0o6777, 12345, 12345
    unpacked(tmp_path, tar_of([(info, data)]))
    status = (tmp_path / "target" / "tool").stat()
    assert status.st_mode & 0o7111 == 0
    assert status.st_uid == tmp_path.stat().st_uid


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("size", [1, 2, 7, 511])
def test_stream_of_few_bytes_a_read_unpacks(
    tmp_path: Path, gz: bool, size: int
) -> None:
    unpack(Drops(bundle_tar(gz=gz), size), tmp_path, gzipped=gz)
    assert read_files(tmp_path) == FILES


def test_content_larger_than_any_buffer_arrives_whole(tmp_path: Path) -> None:
    weights = bytes(range(256)) * 4099  # a megabyte and no round number of blocks
    data = tar_of([member("m/a", weights), member("m/b", b"after")], gz=True)
    assert unpacked(tmp_path, data) == {"a": weights, "b": b"after"}


# --- refused files, and the sentences

LINK = member("mnist/x", kind=tarfile.SYMTYPE, link="labels.txt")
REFUSED = {
    "symlink": ([LINK], "a link, 'mnist/x'"),
    "symlink-top": (
        [member("mnist", kind=tarfile.SYMTYPE, link="/etc")],
        "a link, 'mnist'",
    ),
    "hard-link": (
        [member("mnist/x", kind=tarfile.LNKTYPE, link="mnist/labels.txt")],
        "a link, 'mnist/x'",
    ),
    "device": ([member("mnist/x", kind=tarfile.CHRTYPE)], "a special file, 'mnist/x'"),
    "block": ([member("mnist/x", kind=tarfile.BLKTYPE)], "a special file, 'mnist/x'"),
    "fifo": ([member("mnist/x", kind=tarfile.FIFOTYPE)], "a special file, 'mnist/x'"),
    "absolute": ([member("/mnist/x")], "an absolute name, '/mnist/x'"),
    "dotdot-first": ([member("../x")], "a name that is not taken, '../x'"),
    "dotdot-inside": ([member("mnist/../../x")], "'mnist/../../x'"),
    "dotdot-folder": ([folder_member("mnist/..")], "'mnist/..'"),
    "hidden": ([member("mnist/.bashrc")], "the archive is empty"),
    "hidden-top": ([member(".mnist/x")], "the archive is empty"),
    "hidden-outside": ([member("mnist/.git/../../../x")], "the archive is empty"),
    "backslash": ([member("mnist/a\\b")], "a name that is not taken"),
    "newline": ([member("mnist/a\nb")], "a name that is not taken"),
    "unicode": ([member("mnist/ä")], "a name that is not taken"),
    "dash": ([member("mnist/-rf")], "a name that is not taken"),
    "long": ([member("mnist/" + "a" * 201)], "a name that is not taken"),
    "two-tops": ([member("a/x"), member("b/x")], "several top folders, 'a' and 'b'"),
    "two-tops-by-case": ([member("a/x"), member("A/y")], "'a' and 'A'"),
    "loose-file": ([member("notes.txt", b"{}")], "'notes.txt' outside any folder"),
    "loose-after": ([member("a/x"), member("b")], "'b' outside any folder"),
    "top-twice": ([member("a/x"), member("a")], "'a' is a file and a folder"),
    "empty": ([], "the archive is empty"),
    "only-companions": ([member("._mnist", b"x")], "the archive is empty"),
    "only-dot": ([folder_member(".")], "the archive is empty"),
    "twice": ([member("a/x", b"1"), member("a/x", b"2")], "holds 'a/x' twice"),
    "twice-dotted": ([member("a/x"), member("./a/./x")], "'./a/./x' twice"),
    "twice-by-case": ([member("a/x"), member("a/X")], "'a/x' and 'a/X'"),
    "folders-by-case": ([member("a/b/x"), member("a/B/y")], "'a/b' and 'a/B'"),
    "file-and-folder-by-case": ([member("a/b"), member("a/B/y")], "'a/b' and 'a/B'"),
    "file-then-folder": (
        [member("a/b", b"1"), folder_member("a/b")],
        "'a/b' is a file and a folder",
    ),
    "folder-then-file": (
        [folder_member("a/b"), member("a/b", b"1")],
        "'a/b' is a file and a folder",
    ),
    "file-then-inside": (
        [member("a/b", b"1"), member("a/b/c", b"2")],
        "'a/b/c' is a file and a folder",
    ),
    "file-then-far-inside": (
        [member("a/b", b"1"), member("a/b/c/d", b"2")],
        "'a/b/c/d' is a file and a folder",
    ),
}


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("case", REFUSED)
def test_hostile_archive_is_refused(tmp_path: Path, case: str, gz: bool) -> None:
    members, sentence = REFUSED[case]
    assert sentence in refused(tmp_path, tar_of(members, gz))


def test_link_followed_by_a_write_through_it_leaves_its_aim_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "aim").mkdir()
    link = member("m/out", kind=tarfile.SYMTYPE, link=str(tmp_path / "aim"))
    with pytest.raises(ArchiveError):
        unpacked(tmp_path, tar_of([link, member("m/out/evil", b"x")]))
    assert list((tmp_path / "aim").iterdir()) == []


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


# --- limits


def test_members_at_the_limit_are_taken_and_one_more_is_not(tmp_path: Path) -> None:
    for kind in (member, folder_member):
        many = tar_of([kind(f"m/{n}") for n in range(11)])
        ten, eleven = tmp_path / f"{kind.__name__}10", tmp_path / f"{kind.__name__}11"
        ten.mkdir()
        eleven.mkdir()
        unpacked(eleven, many, limits=Limits(members=11))
        assert "more than 10 files and folders" in refused(
            ten, many, limits=Limits(members=10)
        )


def test_companions_count_as_members(tmp_path: Path) -> None:
    many = tar_of([member(f"m/._{n}") for n in range(11)])
    assert "more than 10 files" in refused(tmp_path, many, limits=Limits(members=10))


def test_depth_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "four").mkdir()
    (tmp_path / "five").mkdir()
    unpacked(tmp_path / "four", tar_of([member("a/b/c/d")]), limits=Limits(depth=4))
    deep = tar_of([member("a/b/c/d/e")])
    assert "more than 4 deep" in refused(
        tmp_path / "five", deep, limits=Limits(depth=4)
    )


def test_total_is_the_whole_tar_unpacked(tmp_path: Path) -> None:
    tar = bundle_tar()
    for name, limit in (("enough", len(tar)), ("less", len(tar) - 1)):
        (tmp_path / name).mkdir()
        for_it = Limits(total_bytes=limit)
        data = gzip.compress(tar)
        if limit == len(tar):
            assert unpacked(tmp_path / name, data, limits=for_it) == FILES
        else:
            sentence = refused(tmp_path / name, data, limits=for_it)
            assert f"unpacks to more than {limit} bytes" in sentence


@pytest.mark.parametrize("place", ["m/zeros", "m/._zeros"])
def test_bomb_is_stopped_before_more_than_the_limit_is_written(
    tmp_path: Path, place: str
) -> None:
    # The member says that it has 1 MiB, and 64 MiB of zeros follow its end.
    tar = tar_of([member(place, bytes(MIB))]) + bytes(64 * MIB)
    bomb = gzip.compress(tar)
    assert len(bomb) < 100_000
    stream = io.BytesIO(bomb)
    (tmp_path / "target").mkdir()
    with pytest.raises(TooLarge, match="more than 2097152 bytes"):
        unpack(stream, tmp_path / "target", limits=Limits(total_bytes=2 * MIB))
    written = sum(map(len, read_files(tmp_path).values()))
    assert written <= 2 * MIB


def test_bomb_in_one_file_is_refused_before_it_is_written(tmp_path: Path) -> None:
    bomb = tar_of([member("m/zeros", bytes(8 * MIB))], gz=True)
    refused(tmp_path, bomb, limits=Limits(total_bytes=2 * MIB))
    assert sum(map(len, read_files(tmp_path).values())) <= 2 * MIB


def test_bomb_is_not_read_to_its_end(tmp_path: Path) -> None:
    # The archive is not compressed, so the place in the stream tells how much was read.
    stream = io.BytesIO(tar_of([member("m/zeros", bytes(8 * MIB))]))
    with pytest.raises(TooLarge):
        unpack(stream, tmp_path, limits=Limits(total_bytes=MIB))
    assert stream.tell() <= 2 * MIB


def raw_header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """Return a ustar header (POSIX.1-1988): name, mode, uid, gid, size, mtime, …"""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:136] = b"0000644\0" + b"0000000\0" * 2 + size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(size: int) -> bytes:
    return b"%011o\0" % size


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


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    blocks = -(-len(records) // 512)
    return raw_header(b"h", octal(len(records)), kind) + records.ljust(
        512 * blocks, b"\0"
    )


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


# --- damage


def test_empty_body_is_refused(tmp_path: Path) -> None:
    assert "the upload is empty" in refused(tmp_path, b"")


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\xff" * 512, b"\x1f"],
    ids=["nul", "ff", "half-a-magic"],
)
def test_what_is_no_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    assert "not a whole tar archive" in refused(tmp_path, data)


def test_gzip_of_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    assert "not a whole tar" in refused(tmp_path, gzip.compress(b"\xff"), True)


@pytest.mark.parametrize("content", [b"", bytes(10240)])
def test_gzip_of_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, gzip.compress(content))


def test_gzip_that_is_said_and_is_not_is_refused(tmp_path: Path) -> None:
    assert "its Content-Encoding says gzip" in refused(
        tmp_path, bundle_tar(), gzipped=True
    )


def test_gzip_that_is_not_said_is_taken(tmp_path: Path) -> None:
    assert unpacked(tmp_path, bundle_tar(gz=True), gzipped=False) == FILES


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_garbage_after_gzip_is_refused(tmp_path: Path, size: int) -> None:
    data = bundle_tar(gz=True)
    for n, more in enumerate((b"\0", b"garbage", data)):
        (tmp_path / str(n)).mkdir()
        with pytest.raises(ArchiveError, match="goes on after its gzip data ends"):
            unpack(Drops(data + more, size), tmp_path / str(n))


def test_wrong_checksum_of_gzip_is_refused(tmp_path: Path) -> None:
    data = bytearray(bundle_tar(gz=True))
    data[-5] ^= 1  # RFC 1952 puts the CRC32 and the size last, four bytes each.
    data[-8] ^= 1
    assert "not whole gzip data" in refused(tmp_path, bytes(data))


def test_gzip_in_gzip_is_taken_off_once(tmp_path: Path) -> None:
    assert "not a whole tar" in refused(tmp_path, gzip.compress(bundle_tar(gz=True)))


PLAIN = bundle_tar()
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


GZIPPED = bundle_tar(gz=True)


@pytest.mark.parametrize("length", range(1, len(GZIPPED), 9))
def test_truncated_gzip_is_refused(tmp_path: Path, length: int) -> None:
    refused(tmp_path, GZIPPED[:length], gzipped=length > 1)


def test_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    damaged = bytearray(PLAIN)
    second = PLAIN.index(b"mnist/labels.txt")
    damaged[second] ^= 1
    assert "cut short or damaged" in refused(tmp_path, bytes(damaged))


def test_full_disk_is_no_word_about_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(io.BytesIO(PLAIN), tmp_path)


def flipped(data: st.DataObject, whole: bytes) -> bytes:
    damaged = bytearray(whole)
    places = st.integers(0, len(whole) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=5)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    return bytes(damaged)


@pytest.mark.parametrize("form", ["gnu", "pax", "gzip", "deflated-damage"])
@given(data=st.data())
def test_damaged_archive_is_refused_or_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, form: str, data: st.DataObject
) -> None:
    written = io.BytesIO()
    formats = {"pax": tarfile.PAX_FORMAT}
    with tarfile.open(
        fileobj=written, mode="w", format=formats.get(form, tarfile.GNU_FORMAT)
    ) as tar:
        for name, content in {"m/a": b"", "m/" + "l" * 150: b"12", "m/z": b"3"}.items():
            info, _ = member(name, content)
            info.mtime = 1.5  # pax writes a header for such a time.
            tar.addfile(info, io.BytesIO(content))
    whole = written.getvalue().rstrip(b"\0")
    whole = whole.ljust(-(-len(whole) // 512) * 512 + 1024, b"\0")
    if form == "gzip":
        damaged = flipped(data, gzip.compress(whole))
    elif form == "deflated-damage":
        damaged = gzip.compress(flipped(data, whole))
    else:
        damaged = flipped(data, whole)
    check_refused_or_inside(damaged, tmp_path_factory.mktemp("room"))


def test_zlib_stream_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, zlib.compress(PLAIN), gzipped=True)


@pytest.mark.parametrize("name", [".model.onnx", ".parity.json"])
def test_what_a_killed_exporter_left_is_passed_over(tmp_path: Path, name: str) -> None:
    tar = tar_of(
        [
            folder_member("m"),
            member("m/params.json", b"{}"),
            member(f"m/{name}.{'0a' * 16}", b"half"),
        ]
    )
    assert unpacked(tmp_path, tar) == {"params.json": b"{}"}


# --- the head of an archive


@pytest.mark.slow
@pytest.mark.parametrize("form", ["gnu", "pax", "ustar", "v7"])
@pytest.mark.parametrize("options", ["c", "cz"])
def test_an_archive_is_told_by_its_head(
    tmp_path: Path, options: str, form: str
) -> None:
    write_bundle(tmp_path / "mnist")
    command = ["tar", options, f"--format={form}", "-C", tmp_path, "mnist"]
    made = subprocess.run(command, check=True, timeout=30, capture_output=True)
    assert is_archive(made.stdout[:512])


@pytest.mark.parametrize(
    "head",
    [b"", b"\x08\x01\x12" + bytes(509), b"\n\x0b" * 256, bytes(512), b"H4sI" * 128],
)
def test_what_is_no_archive_is_not_told_one(head: bytes) -> None:
    assert not is_archive(head)


# --- packed and unpacked sizes


def _zeros(count: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        member = tarfile.TarInfo("m/zeros")
        member.size = count
        tar.addfile(member, io.BytesIO(bytes(count)))
    return target.getvalue()


@pytest.mark.parametrize(("ratio_from", "is_taken"), [(2_000_000, True), (0, False)])
def test_the_ratio_counts_beyond_what_is_small(
    tmp_path: Path, ratio_from: int, is_taken: bool
) -> None:
    """Deflate makes zeros a thousand times smaller."""
    limits = Limits(ratio=200, ratio_from=ratio_from)
    source = io.BytesIO(_zeros(1_000_000))
    if is_taken:
        unpack(source, tmp_path, limits=limits)
        assert (tmp_path / "zeros").stat().st_size == 1_000_000
    else:
        with pytest.raises(TooLarge, match="200 times its size"):
            unpack(source, tmp_path, limits=limits)


def test_what_comes_is_bounded_though_it_unpacks_to_nothing(tmp_path: Path) -> None:
    """The stream has empty blocks of deflate, of five bytes each."""
    endless = b"\x1f\x8b\x08" + bytes(7) + b"\x00\x00\x00\xff\xff" * 10_000
    with pytest.raises(TooLarge, match="larger than 40000 bytes"):
        unpack(io.BytesIO(endless), tmp_path, limits=Limits(total_bytes=40_000))
