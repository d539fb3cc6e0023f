from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.archive import unpack
from bundle.errors import ArchiveError, BundleError, ConflictError, StoreError
from bundle.folder import open_bundle
from bundle.store import ModelStore
from tests.bundle.killing import FORK, WAIT, by_kill, killed
from tests.bundle.making import (
    bundle_files,
    bundle_tar,
    read_files,
    write_bundle,
    write_files,
)
from tests.bundle.stores import (
    delete_many,
    in_threads,
    install_many,
    installed,
    tree,
    writer,
)


def test_versions_count_from_one_and_the_highest_is_served(store: ModelStore) -> None:
    for number in (1, 2, 3):
        published = store.install(writer(mark=f"v{number}"))
        assert (published.name, published.number) == ("mnist", number)
        assert published.path == store.root / "mnist" / str(number)
        assert store.current("mnist") == published
    assert store.versions("mnist") == [1, 2, 3]
    assert read_files(store.root / "mnist") == {
        f"{number}/{name}": data
        for number in (1, 2, 3)
        for name, data in bundle_files(mark=f"v{number}").items()
    }


def test_published_store_holds_nothing_else(store: ModelStore) -> None:
    store.install(writer())
    assert [path.name for path in store.root.iterdir()] == ["mnist"]


def test_stray_file_with_a_number_is_no_version(store: ModelStore) -> None:
    store.install(writer())
    (store.root / "mnist" / "2").write_text("a note")
    assert store.versions("mnist") == [1]
    assert store.install(writer()).number == 3
    assert store.versions("mnist") == [1, 3]
    assert (store.root / "mnist" / "2").read_text() == "a note"


def test_model_with_the_name_of_a_stray_file_is_refused(store: ModelStore) -> None:
    # The project's own models/ holds a README.md, and this is a valid name for a model
    # too.
    store.root.mkdir()
    (store.root / "README.md").write_text("the store")
    with pytest.raises(StoreError):
        store.install(writer("README.md"))
    assert tree(store.root) == ["README.md"]


def fails(error: BaseException) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        write_bundle(folder)
        raise error

    return write


def cut(folder: Path) -> None:
    unpack(io.BytesIO(bundle_tar(gz=True)[:-20]), folder)


def damaged(folder: Path) -> None:
    write_bundle(folder)
    (folder / "manifest.json").write_text('{"sha256": {"labels.txt": "00"}}')


REFUSED: dict[str, tuple[Callable[[Path], None], type[Exception]]] = {
    "writes-nothing": (lambda folder: None, BundleError),
    "no-model": (
        lambda f: write_files(f, {"params.json": b'{"name":"m"}'}),
        BundleError,
    ),
    "hostile-name": (
        lambda f: write_bundle(f, "../x"),
        BundleError,
    ),
    "cut-archive": (cut, ArchiveError),
    "damaged-file": (damaged, BundleError),
    "writer-breaks": (fails(KeyError("bug")), KeyError),
    "disk-full": (fails(OSError(errno.ENOSPC, "No space left on device")), StoreError),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("old", [0, 1])
def test_refused_install_changes_nothing(
    store: ModelStore, case: str, old: int
) -> None:
    for _ in range(old):
        store.install(writer())
    store.root.mkdir(exist_ok=True)
    before = tree(store.root)
    write, error = REFUSED[case]
    with pytest.raises(error) as caught:
        store.install(write)
    assert tree(store.root) == before
    assert str(store.root) not in str(caught.value)


def test_check_sees_the_bundle_before_anybody_else(store: ModelStore) -> None:
    seen: list[tuple[dict[str, bytes], list[str]]] = []

    def check(staged: Path) -> str:
        seen.append((read_files(staged), store.names()))
        raise BundleError("no engine opens it")

    with pytest.raises(BundleError, match="no engine opens it"):
        store.install(writer(), check)
    assert seen == [(bundle_files(), [])]
    assert tree(store.root) == []


def test_store_itself_opens_nothing_of_what_is_published(store: ModelStore) -> None:
    """A stranger may have made the files. Another process checks them."""

    def write(folder: Path) -> None:
        for name in ("params.json", "manifest.json", "labels.txt", "sample.npz"):
            os.mkfifo(folder / name)  # Opening a pipe waits for ever.

    def check(staged: Path) -> str:
        # The store opens each file to bring it to the disk; so the pipes go before
        # that.
        for path in staged.iterdir():
            path.unlink()
        return "mnist"

    published = store.install(write, check)
    assert (published.name, published.number) == ("mnist", 1)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", ".staging", "a/b", "x" * 129])
def test_name_that_a_check_tells_is_looked_at(store: ModelStore, name: str) -> None:
    with pytest.raises(BundleError, match="no name for a model"):
        store.install(writer(), lambda staged: name)
    assert tree(store.root) == []


def nth_call_fails(
    monkeypatch: pytest.MonkeyPatch, what: str, nth: int, number: int
) -> list[int]:
    """Let the nth call fail; the list that is returned counts the calls."""
    real = getattr(os, what)
    calls: list[int] = []

    def failing(*args: Any, **kwargs: Any) -> Any:
        calls.append(len(calls) + 1)
        if len(calls) == nth:
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, what, failing)
    return calls


@pytest.mark.parametrize("old", [0, 1])
@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("mkdir", errno.EROFS),
        ("mkdir", errno.ENOSPC),
        ("fsync", errno.ENOSPC),
        ("fsync", errno.EIO),
        ("rename", errno.ENOSPC),
        ("rename", errno.EROFS),
    ],
)
def test_disk_error_at_any_step_of_an_install_leaves_nothing(
    store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    number: int,
    old: int,
) -> None:
    store.root.mkdir()
    for _ in range(old):
        store.install(writer(mark="old"))
    before = tree(store.root)
    failed = 0
    for nth in range(1, 50):
        with monkeypatch.context() as patch:
            calls = nth_call_fails(patch, what, nth, number)
            try:
                published = store.install(writer(mark="new"))
            except StoreError as ex:
                assert os.strerror(number) in str(ex)
                failed += 1
            else:  # the call was not reached, or its folder exists
                assert published.number == old + 1
                path = published.path
                assert read_files(path) == bundle_files(mark="new")
                shutil.rmtree(path if old else path.parent)
        assert tree(store.root) == before
        if len(calls) < nth:
            break
    # fsync is called for 5 files, 2 folders, the model's folder and the root. The one
    # rename follows. mkdir makes .staging, the held folder, the folder in it, and
    # variables.
    assert failed >= {"fsync": 9, "rename": 1, "mkdir": 4}[what]


def test_all_is_on_the_disk_before_the_one_rename(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.install(writer())
    steps: list[tuple[str, int]] = []
    rename, fsync = os.rename, os.fsync

    def noted_rename(source: Any, target: Any) -> None:
        steps.append(("rename", Path(source).stat().st_ino))
        rename(source, target)

    def noted_fsync(fd: int) -> None:
        steps.append(("fsync", os.fstat(fd).st_ino))
        fsync(fd)

    monkeypatch.setattr(os, "rename", noted_rename)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    path = store.install(writer()).path
    inodes = {entry.stat().st_ino for entry in (path, *path.rglob("*"))}
    place = steps.index(("rename", path.stat().st_ino))
    assert sum(step == "rename" for step, _ in steps) == 1
    assert {inode for _, inode in steps[:place]} == inodes
    # The rename itself is brought to the disk after that.
    assert ("fsync", path.parent.stat().st_ino) in steps[place:]


@pytest.mark.slow
@pytest.mark.parametrize("old", [0, 1])
@by_kill
def test_killed_install_keeps_old_version_or_shows_the_new_one_whole(
    store: ModelStore, step: str, after: bool, old: int
) -> None:
    if old:
        store.install(writer(mark="old"))
    store.root.mkdir(exist_ok=True)
    expected = [bundle_files(mark="old")] * old
    for nth in range(1, 60):
        died = killed(step, nth, after, lambda: store.install(writer(mark="new")))
        numbers = store.versions("mnist")
        if len(numbers) > len(expected):
            expected.append(bundle_files(mark="new"))
        assert store.names() == (["mnist"] if expected else [])
        assert [read_files(store.root / "mnist" / str(n)) for n in numbers] == expected
        if numbers:
            open_bundle(store.current("mnist").path)
        store.sweep()
        assert {path.name for path in store.root.iterdir()} <= {"mnist"}
        if not died:
            break
    # unlink only cleans up, and nothing is left to clean after a whole install.
    assert not died
    assert nth > (0 if step == "unlink" else 1)
    assert expected[-1] == bundle_files(mark="new")


def install_in_threads(store: ModelStore, marks: list[str], start: Any) -> None:
    def install(mark: str) -> None:
        start.wait(WAIT)
        store.install(writer(mark=mark))

    in_threads([lambda mark=mark: install(mark) for mark in marks])  # type: ignore[misc]


@pytest.mark.slow
def test_installs_of_threads_and_processes_are_each_a_whole_version(
    store: ModelStore,
) -> None:
    marks = [f"mark{n}" for n in range(20)]
    start = FORK.Barrier(20)
    children = [
        FORK.Process(target=install_in_threads, args=(store, marks[n::4], start))
        for n in range(4)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(WAIT)
    assert [child.exitcode for child in children] == [0] * 4
    assert store.versions("mnist") == list(range(1, 21))
    published = [read_files(store.root / "mnist" / str(n)) for n in range(1, 21)]
    by_mark = {files["labels.txt"]: files for files in published}
    assert by_mark == {
        bundle_files(mark=mark)["labels.txt"]: bundle_files(mark=mark) for mark in marks
    }
    assert [path.name for path in store.root.iterdir()] == ["mnist"]


@pytest.mark.slow
def test_installs_race_deletes_and_every_one_succeeds(store: ModelStore) -> None:
    stop, started = FORK.Event(), FORK.Event()
    deleters = [FORK.Process(target=delete_many, args=(store, stop)) for _ in range(2)]
    installers = [
        FORK.Process(target=install_many, args=(store, 60, started)) for _ in range(2)
    ]
    for child in (*deleters, *installers):
        child.start()
    for child in installers:
        child.join(WAIT)
    stop.set()
    for child in deleters:
        child.join(WAIT)
    assert [child.exitcode for child in (*installers, *deleters)] == [0] * 4
    for number in store.versions("mnist"):
        open_bundle(store.root / "mnist" / str(number))
    assert not (store.root / ".staging").exists()
    assert not (store.root / ".trash").exists()


def test_model_deleted_right_after_its_publication_was_published(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def racing(source: Any, target: Any) -> None:
        rename(source, target)
        if Path(target).name == "1":
            monkeypatch.setattr(os, "rename", rename)
            ModelStore(store.root).delete("mnist")

    monkeypatch.setattr(os, "rename", racing)
    assert store.install(writer()).number == 1
    assert tree(store.root) == []


def test_staging_that_somebody_removes_is_an_error_and_no_endless_loop(
    store: ModelStore,
) -> None:
    def write(folder: Path) -> None:
        write_bundle(folder)

    def check(staged: Path) -> str:
        staged.rename(store.root / "elsewhere")
        return "mnist"

    with pytest.raises(StoreError):
        store.install(write, check)


def test_publication_under_a_link_to_nothing_is_refused_and_does_not_hang(
    store: ModelStore, elsewhere: Path
) -> None:
    store.root.mkdir()
    (store.root / "mnist").symlink_to(elsewhere / "not-mounted")
    with pytest.raises(StoreError, match="No such file"):
        store.install(writer())
    assert tree(store.root) == ["mnist"]
    (elsewhere / "not-mounted").mkdir()
    assert store.install(writer()).number == 1


def test_no_version_follows_the_highest_number(store: ModelStore) -> None:
    write_bundle(store.root / "mnist" / str(10**18 - 1))
    with pytest.raises(ConflictError, match="999999999999999999 of 'mnist'"):
        store.install(writer())
    assert store.versions("mnist") == [10**18 - 1]
    assert tree(store.root)[:2] == ["mnist", "mnist/999999999999999999"]


def before_the_first_rename(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]
) -> list[object]:
    """Do it once; the list that is given back tells whether it was done."""
    rename = os.rename
    done: list[object] = []

    def racing(source: Any, target: Any) -> None:
        if not done:
            done.append(source)
            work()
        rename(source, target)

    monkeypatch.setattr(os, "rename", racing)
    return done


def test_a_number_that_was_published_meanwhile_is_passed_over(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = store.root / "mnist" / "1"
    done = before_the_first_rename(
        monkeypatch, lambda: write_bundle(taken, mark="theirs")
    )
    published = store.install(writer(mark="ours"))
    assert done
    assert published.number == 2
    assert read_files(taken) == bundle_files(mark="theirs")
    assert read_files(published.path) == bundle_files(mark="ours")


def test_a_model_that_was_deleted_meanwhile_begins_with_one_again(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(store, 2)
    done = before_the_first_rename(
        monkeypatch, lambda: shutil.rmtree(store.root / "mnist")
    )
    assert store.install(writer()).number == 1
    assert done
    assert store.versions("mnist") == [1]
