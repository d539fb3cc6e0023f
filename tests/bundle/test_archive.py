from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.archive import is_archive, unpack
from bundle.errors import ArchiveError
from bundle.upload import Limits
from tests.bundle.making import (
    bundle_tar,
    check_refused_or_inside,
    folder_member,
    member,
    tar_of,
    write_bundle,
)
from tests.bundle.unpacking import FILES, PLAIN, refused, unpacked


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


def test_content_larger_than_any_buffer_arrives_whole(tmp_path: Path) -> None:
    weights = bytes(range(256)) * 4099  # a megabyte and no round number of blocks
    data = tar_of([member("m/a", weights), member("m/b", b"after")], gz=True)
    assert unpacked(tmp_path, data) == {"a": weights, "b": b"after"}


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


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\xff" * 512, b"\x1f"],
    ids=["nul", "ff", "half-a-magic"],
)
def test_what_is_no_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    assert "not a whole tar archive" in refused(tmp_path, data)


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
