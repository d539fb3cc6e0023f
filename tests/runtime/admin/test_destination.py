import errno
import io
import os
import tarfile

import pytest

from runtime.admin.destination import Destination
from runtime.admin.errors import AdminError, ServerFailed, WorkFailed
from tests.examples import file_size_limit, tar_of, write_bundle


@pytest.fixture
def archive(tmp_path):
    return [tar_of(write_bundle(tmp_path / "source"))]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def files(folder):
    return sorted(path.name for path in folder.iterdir())


BUNDLE = ["labels.txt", "model.onnx", "params.json", "parity.json"]


def test_a_bundle_comes_into_a_new_folder(place, archive):
    Destination(place / "deep" / "linear").save(archive, 0)
    assert files(place / "deep" / "linear") == BUNDLE
    assert files(place / "deep") == ["linear"]


def test_an_empty_folder_is_filled_and_a_link_to_it_stays_one(place, archive):
    (place / "empty").mkdir()
    (place / "link").symlink_to(place / "empty")
    destination = Destination(place / "link")
    destination.check()
    destination.save(archive, 0)
    assert (place / "link").is_symlink()
    assert files(place / "empty") == BUNDLE


@pytest.mark.parametrize("name", ["linear.tar.gz", "linear.tgz"])
def test_a_file_keeps_the_archive_as_it_came(place, archive, name):
    Destination(place / name).save(archive, 0)
    assert (place / name).read_bytes() == archive[0]
    assert files(place) == [name]


def full(place):
    (place / "linear").mkdir()
    (place / "linear" / "mine.txt").write_text("mine")
    return place / "linear"


def a_file(place):
    (place / "linear").write_text("mine")
    return place / "linear"


def an_archive(place):
    (place / "linear.tgz").write_text("mine")
    return place / "linear.tgz"


@pytest.mark.parametrize("taken", [full, a_file, an_archive])
def test_nothing_is_replaced(place, archive, taken):
    path = taken(place)
    with pytest.raises(AdminError, match="is not replaced"):
        Destination(path).check()
    # Somebody else made it after the check.
    with pytest.raises(AdminError, match="is not replaced"):
        Destination(path).save(archive, 0)
    kept = path / "mine.txt" if path.is_dir() else path
    assert kept.read_text() == "mine"
    assert files(place) == [path.name]


def test_the_folder_one_is_in_is_not_replaced(place, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(AdminError, match="the folder you are in"):
        Destination(place).check()


def link():
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        member = tarfile.TarInfo("linear/passwd")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    return target.getvalue()


@pytest.mark.parametrize(
    "content", [link(), b"", b"<html>", link()[:-9]], ids=["link", "", "html", "cut"]
)
def test_an_archive_that_cannot_be_taken_leaves_nothing(place, content):
    with pytest.raises(ServerFailed, match="no bundle's archive"):
        Destination(place / "linear").save([content], 0)
    assert files(place) == []


REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.EACCES, errno.EIO, errno.EFBIG),
)


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
@pytest.mark.parametrize("name", ["linear", "linear.tar.gz"])
def test_what_the_disk_refuses_is_work_that_failed(place, name, number):
    def chunks():
        yield b""
        raise OSError(number, os.strerror(number), str(place / ".staging" / "x"))

    given = place / name
    with pytest.raises(WorkFailed) as caught:
        Destination(given).save(chunks(), 0)
    said = str(caught.value)
    assert said.startswith(f"{given} cannot be written: {os.strerror(number)}; ")
    assert said.endswith(", or name another place with --output")
    assert files(place) == []


@pytest.mark.parametrize("name", ["linear", "linear.tar.gz"])
def test_a_disk_that_is_full_leaves_nothing(place, archive, name):
    """``RLIMIT_FSIZE`` stands for a full disk: the kernel refuses the bytes."""
    with (
        file_size_limit(10),
        pytest.raises(WorkFailed, match="cannot be written: File too large; raise the"),
    ):
        Destination(place / name).save(archive, 0)
    assert files(place) == []
