"""A bundle reaches its place whole, or the old content stays."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import BundleError, StoreError, StoreUnreachable
from bundle.manifest import write_manifest
from bundle.objects.object_store import ObjectStore
from bundle.objects.opening import open_store
from tests.examples import small_disk
from tests.trainer.examples import names_in
from trainer.destination import Destination, FolderDestination, StoreDestination
from trainer.errors import DestinationError, WriteFailed


def _bundle(marker: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "params.json").write_text(json.dumps({"name": "m"}))
        (folder / "assets").mkdir()
        (folder / "variables").mkdir()
        (folder / "variables" / "data").write_text("weights")
        write_manifest(folder)
        (folder / "model.onnx").write_text(marker)

    return write


_FILES = ["assets", "manifest.json", "model.onnx", "params.json", "variables"]


def _marker(folder: Path) -> str:
    return (folder / "model.onnx").read_text()


def test_store_takes_the_next_version(tmp_path: Path) -> None:
    destination = StoreDestination(tmp_path / "models")
    assert destination.publish(_bundle("a")) == tmp_path / "models" / "m" / "1"
    assert destination.publish(_bundle("b")) == tmp_path / "models" / "m" / "2"
    path = tmp_path / "models" / "m" / "2"
    assert _marker(path) == "b"
    assert destination.told(path) == str(path)


def test_an_object_store_takes_the_next_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    url = f"file://{tmp_path}/objects"
    destination = StoreDestination(url)
    assert destination.check() is False
    first, second = (destination.publish(_bundle(marker)) for marker in "ab")
    assert (first.name, second.name) == ("1", "2")
    assert destination.told(second) == f"{url}, as m:2"
    assert _marker(second) == "b"
    # Another machine has an empty cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "others"))
    assert _marker(open_store(url).find("m").path) == "b"


def test_an_object_store_that_does_not_answer_is_told_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        ObjectStore, "changes", lambda self: _fail("the object store does not answer")
    )
    with pytest.raises(StoreError, match="does not answer"):
        StoreDestination(f"file://{tmp_path}/objects").check()


def _fail(sentence: str) -> None:
    raise StoreUnreachable(sentence)


@pytest.mark.parametrize("before", ["nothing", "empty", "bundle", "no parents"])
def test_folder_is_made_or_replaced(tmp_path: Path, before: str) -> None:
    path = tmp_path / "out"
    if before == "empty":
        path.mkdir()
    if before == "bundle":
        path.mkdir()
        _bundle("old")(path)
        # The exporter adds these files, and leaves the hidden ones if it is killed.
        (path / "parity.json").write_text("{}")
        (path / "model.int8.onnx").write_text("quantized")
        (path / "parity.int8.json").write_text("{}")
        (path / ".model.fp16.onnx.c0ffee").write_text("half of it")
        (path / ".model.onnx.c0ffee").write_text("half of it")
        (path / "report").mkdir()
        (path / "report" / "parity.png").write_text("a plot")
        (path / "report" / ".report.html.c0ffee").write_text("half of it")
    if before == "no parents":
        path = tmp_path / "a" / "b"
    destination = FolderDestination(path)
    assert destination.check() == (before == "bundle")
    assert destination.publish(_bundle("new")) == path
    assert names_in(path) == _FILES
    assert _marker(path) == "new"
    assert names_in(path.parent) == [path.name]


def test_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    FolderDestination(tmp_path / "link").publish(_bundle("new"))
    assert (tmp_path / "link").is_symlink()
    assert _marker(real) == "new"


def test_relative_folder_is_taken_from_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert FolderDestination(Path("mnist")).publish(_bundle("new")) == Path("mnist")
    assert _marker(tmp_path / "mnist") == "new"


def _photos(folder: Path) -> None:
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "1.png").write_text("a cat")


def _bundle_and(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir()
        _bundle("old")(folder)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("years of work")

    return write


def _bundle_and_link(folder: Path) -> None:
    folder.mkdir()
    _bundle("old")(folder)
    (folder / "photos").symlink_to(folder.parent)


def _stored_model(folder: Path) -> None:
    StoreDestination(folder.parent).publish(_bundle("old"))
    StoreDestination(folder.parent).publish(_bundle("new"))


def _original_bundle(folder: Path) -> None:
    folder.mkdir()
    (folder / "params.json").write_text("{}")


def _foreign_manifest(folder: Path) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text('["a web app"]')


@pytest.mark.parametrize(
    ("fill", "named"),
    [
        (_photos, "cat/1.png"),
        (_bundle_and("thesis.tex"), "thesis.tex"),
        (_bundle_and("variables/old"), "variables/old"),
        (_bundle_and(".hidden"), ".hidden"),
        (_bundle_and(".model.onnx.mine/notes"), ".model.onnx.mine/notes"),
        (_bundle_and("report/notes"), "report/notes"),
        (_bundle_and_link, "photos"),
        (_stored_model, "1/manifest.json"),
        (_original_bundle, "params.json"),
        (_foreign_manifest, "manifest.json"),
    ],
)
def test_what_no_training_wrote_is_never_replaced(
    tmp_path: Path, fill: Callable[[Path], None], named: str
) -> None:
    fill(tmp_path / "m")
    before = _all(tmp_path)
    destination = FolderDestination(tmp_path / "m")
    with pytest.raises(DestinationError, match=rf"m holds {re.escape(named)}, which"):
        destination.check()
    with pytest.raises(DestinationError, match=rf"m holds {re.escape(named)}, which"):
        destination.publish(_bundle("new"))
    assert _all(tmp_path) == before


def test_folder_that_filled_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def write(folder: Path) -> None:
        _bundle("new")(folder)
        path.mkdir()
        (path / "thesis.tex").write_text("years of work")

    with pytest.raises(DestinationError, match="out holds thesis.tex"):
        FolderDestination(path).publish(write)
    assert (path / "thesis.tex").read_text() == "years of work"


def test_unreadable_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may read anything, so the test itself refuses the listing.
    destination = FolderDestination(tmp_path / "m")
    destination.publish(_bundle("old"))
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if Path(path).name == "variables":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(WriteFailed, match="m cannot be written: Permission"):
        destination.check()


def test_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mnist").write_text("")
    with pytest.raises(DestinationError, match="is a file"):
        FolderDestination(tmp_path / "mnist").check()
    with pytest.raises(DestinationError, match="is a file"):
        FolderDestination(tmp_path / "mnist" / "sub").check()
    with pytest.raises(DestinationError, match="is a file"):
        StoreDestination(tmp_path / "mnist").check()


def test_own_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DestinationError, match="the folder you are in"):
        FolderDestination(Path()).check()


def test_root_is_refused() -> None:
    with pytest.raises(DestinationError, match="/ is a mount point"):
        FolderDestination(Path("/")).check()


def test_unwritable_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may write anywhere, so the test itself answers the question.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for destination in (FolderDestination(tmp_path / "x"), StoreDestination(tmp_path)):
        with pytest.raises(DestinationError, match="is not writable"):
            destination.check()


@pytest.fixture(params=["store", "folder"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Destination, Path]:
    """Return a destination that holds a bundle, and the bundle's folder."""
    destination: Destination
    if request.param == "store":
        destination = StoreDestination(tmp_path)
    else:
        destination = FolderDestination(tmp_path / "m")
    return destination, destination.publish(_bundle("old"))


def _all(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def test_failed_write_changes_nothing(
    filled: tuple[Destination, Path], tmp_path: Path
) -> None:
    destination, folder = filled
    before = _all(tmp_path)

    def write(staged: Path) -> None:
        _bundle("new")(staged)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        destination.publish(write)
    assert _all(tmp_path) == before
    assert _marker(folder) == "old"


def test_bundle_that_is_not_whole_changes_nothing(
    filled: tuple[Destination, Path], tmp_path: Path
) -> None:
    destination, folder = filled
    before = _all(tmp_path)
    with pytest.raises(BundleError):
        destination.publish(lambda staged: None)
    assert _all(tmp_path) == before
    assert _marker(folder) == "old"


# Each refusal of a disk has a remedy for the user.
REFUSALS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "mount that file system writable",
    errno.EACCES: "change its permissions",
    errno.EIO: "check that disk",
    errno.EFBIG: "raise the limit on the size of a file",
}


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
def test_refused_write_says_where_why_and_what_to_do(
    filled: tuple[Destination, Path], tmp_path: Path, number: int
) -> None:
    destination, folder = filled
    before = _all(tmp_path)

    def write(staged: Path) -> None:
        _bundle("new")(staged)
        raise OSError(number, os.strerror(number), str(staged / "variables"))

    with pytest.raises(WriteFailed) as caught:
        destination.publish(write)
    sentence = str(caught.value)
    # The sentence names the folder that the user gave, and not the staging folder.
    given = folder if isinstance(destination, FolderDestination) else tmp_path
    assert sentence.startswith(f"{given} cannot be written: {os.strerror(number)}; ")
    assert REFUSALS[number] in sentence
    assert sentence.endswith(
        "or give another folder with --fout"
        if isinstance(destination, FolderDestination)
        else "or give another folder with --models-dir"
    )
    assert ".staging" not in sentence
    assert _all(tmp_path) == before
    assert _marker(folder) == "old"


def test_disk_without_room_is_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not every machine can have a disk in that state; the next test uses a real disk.
    monkeypatch.setattr("shutil.disk_usage", lambda path: (1 << 30, 1 << 30, 5000))
    for destination in (FolderDestination(tmp_path / "m"), StoreDestination(tmp_path)):
        with pytest.raises(WriteFailed, match="5000 bytes are left on that disk"):
            destination.check()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 1.5 MB."""
    with small_disk(tmp_path / "disk", "1500k"):
        yield tmp_path / "disk"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["store", "folder"])
def test_full_disk_leaves_the_old_bundle_alone(disk: Path, kind: str) -> None:
    destination: Destination
    if kind == "store":
        destination = StoreDestination(disk)
    else:
        destination = FolderDestination(disk / "m")
    destination.check()
    folder = destination.publish(_bundle("old"))
    before = _all(disk)

    def write(staged: Path) -> None:
        (staged / "variables.data").write_bytes(bytes(2_000_000))

    with pytest.raises(WriteFailed, match="No space left on device; make room there"):
        destination.publish(write)
    assert _all(disk) == before
    assert _marker(folder) == "old"
    (disk / "other").write_bytes(bytes(800_000))
    with pytest.raises(WriteFailed, match="bytes are left on that disk"):
        destination.check()


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as a file system that cannot exchange folders."""
    monkeypatch.setattr("trainer.destination.exchange", lambda one, other: False)


@pytest.mark.usefixtures("no_exchange")
def test_folder_is_replaced_without_an_exchange_too(tmp_path: Path) -> None:
    destination = FolderDestination(tmp_path / "m")
    destination.publish(_bundle("old"))
    destination.publish(_bundle("new"))
    assert _marker(tmp_path / "m") == "new"
    assert names_in(tmp_path) == ["m"]


@pytest.mark.usefixtures("no_exchange")
def test_failed_rename_restores_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m"
    destination = FolderDestination(path)
    destination.publish(_bundle("old"))
    rename = Path.rename

    def fail_on_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_on_new)
    with pytest.raises(WriteFailed, match="cannot be written: Input/output"):
        destination.publish(_bundle("new"))
    assert _marker(path) == "old"
    assert names_in(tmp_path) == ["m"]


# The script kills itself at the given moment: before or after the n-th exchange or
# rename.
_DIES = """
import os, signal, sys
from pathlib import Path
import trainer.destination
from tests.trainer.test_destination import _bundle

path, exchanges, left = Path(sys.argv[1]), sys.argv[2] == "exchange", int(sys.argv[3])

def moment():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

def watched(work):
    def run(*arguments):
        moment()
        result = work(*arguments)
        moment()
        return result
    return run

exchange = trainer.destination.exchange if exchanges else lambda one, other: False
trainer.destination.exchange = watched(exchange)
Path.rename = watched(Path.rename)
trainer.destination.FolderDestination(path).publish(_bundle("new"))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "moment"),
    [("exchange", n) for n in range(2)] + [("renames", n) for n in range(2 + 3 * 2)],
)
def test_killed_replacement_leaves_the_old_or_the_new(
    tmp_path: Path, way: str, moment: int
) -> None:
    path = tmp_path / "m"
    destination = FolderDestination(path)
    destination.publish(_bundle("old"))
    arguments = [sys.executable, "-c", _DIES, str(path), way, str(moment)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    if way == "exchange":
        assert _marker(path) == ("new" if moment else "old")
    assert destination.check()
    assert _marker(path) in ("old", "new")
    assert names_in(path) == _FILES
    assert names_in(tmp_path) == ["m"]


_WRITES_FOREVER = """
import sys
from pathlib import Path
from trainer.destination import FolderDestination, StoreDestination

def write(folder):
    (folder / "params.json").write_text("{")
    print("writing", flush=True)
    sys.stdin.read()

kind = {"store": StoreDestination, "folder": FolderDestination}[sys.argv[1]]
kind(Path(sys.argv[2])).publish(write)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["store", "folder"])
def test_killed_write_is_swept_by_the_next_check(tmp_path: Path, kind: str) -> None:
    destination: Destination
    if kind == "store":
        path = tmp_path
        destination = StoreDestination(path)
    else:
        path = tmp_path / "m"
        destination = FolderDestination(path)
    destination.publish(_bundle("old"))
    before = _all(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _WRITES_FOREVER, kind, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.kill()
    assert names_in(tmp_path) == [".staging", "m"]
    destination.check()
    assert _all(tmp_path) == before
