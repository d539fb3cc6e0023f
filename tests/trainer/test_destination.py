"""A bundle comes into its place whole, or what was there stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import BundleError
from tests.trainer.examples import names_in
from trainer.destination import Destination, FolderDestination, StoreDestination
from trainer.errors import DestinationError


def _bundle(marker: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "params.json").write_text(json.dumps({"name": "m"}))
        (folder / "model.onnx").write_text(marker)

    return write


def _marker(folder: Path) -> str:
    return (folder / "model.onnx").read_text()


def test_store_takes_the_next_version(tmp_path: Path) -> None:
    destination = StoreDestination(tmp_path / "models")
    assert destination.publish(_bundle("a")) == tmp_path / "models" / "m" / "1"
    assert destination.publish(_bundle("b")) == tmp_path / "models" / "m" / "2"
    assert _marker(tmp_path / "models" / "m" / "2") == "b"


@pytest.mark.parametrize("before", ["nothing", "empty", "bundle", "no parents"])
def test_folder_is_made_or_replaced(tmp_path: Path, before: str) -> None:
    path = tmp_path / "out"
    if before == "empty":
        path.mkdir()
    if before == "bundle":
        path.mkdir()
        _bundle("old")(path)
        (path / "labels.txt").write_text("of the old one")
    if before == "no parents":
        path = tmp_path / "a" / "b"
    destination = FolderDestination(path)
    destination.check()
    assert destination.publish(_bundle("new")) == path
    assert names_in(path) == ["model.onnx", "params.json"]
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


def test_other_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DestinationError, match="is not empty and holds no bundle"):
        FolderDestination(tmp_path).check()


def test_folder_that_filled_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def write(folder: Path) -> None:
        _bundle("new")(folder)
        path.mkdir()
        (path / "thesis.tex").write_text("years of work")

    with pytest.raises(DestinationError, match="is not empty and holds no bundle"):
        FolderDestination(path).publish(write)
    assert (path / "thesis.tex").read_text() == "years of work"


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


def test_unwritable_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may write anywhere, so the question itself is answered here.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for destination in (FolderDestination(tmp_path / "x"), StoreDestination(tmp_path)):
        with pytest.raises(DestinationError, match="is not writable"):
            destination.check()


@pytest.fixture(params=["store", "folder"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Destination, Path]:
    """A destination that holds a bundle, and where."""
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
    with pytest.raises(DestinationError, match="cannot be written: Input/output"):
        destination.publish(_bundle("new"))
    assert _marker(path) == "old"
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
