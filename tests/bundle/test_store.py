from __future__ import annotations

import errno
import io
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.archive import unpack
from bundle.errors import (
    ArchiveError,
    BundleError,
    ConflictError,
    ModelNotFound,
    StoreError,
)
from bundle.folder import open_bundle
from bundle.staging import locked
from bundle.store import ModelStore
from tests.bundle.making import (
    bundle_files,
    bundle_tar,
    read_files,
    write_bundle,
    write_files,
)

FORK = multiprocessing.get_context("fork")
WAIT = 30.0


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def writer(name: str = "mnist", mark: str = "") -> Callable[[Path], None]:
    return lambda folder: write_bundle(folder, name, mark)


def tree(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_store_that_is_not_there_is_empty(store: ModelStore) -> None:
    assert store.names() == []
    assert store.versions("mnist") == []
    store.sweep()
    assert not store.root.exists()


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


def test_tenth_version_beats_the_ninth(store: ModelStore) -> None:
    for number in (9, 10):
        write_bundle(store.root / "mnist" / str(number))
    assert store.current("mnist").number == 10
    assert store.install(writer()).number == 11


def test_published_store_holds_nothing_else(store: ModelStore) -> None:
    store.install(writer())
    assert [path.name for path in store.root.iterdir()] == ["mnist"]


def test_names_are_sorted_and_of_models_only(store: ModelStore) -> None:
    for name in ("zebra", "ape", "m.2-x"):
        store.install(writer(name))
    (store.root / "README.md").write_text("the store")
    (store.root / "empty").mkdir()
    (store.root / ".hidden" / "1").mkdir(parents=True)
    (store.root / "notes").mkdir()
    (store.root / "notes" / "todo.txt").write_text("")
    assert store.names() == ["ape", "m.2-x", "zebra"]


def test_model_that_cannot_be_read_is_in_the_list(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.install(writer())
    store.install(writer("other"))
    scandir = os.scandir

    def failing(path: Path) -> Any:
        if path.name == "mnist":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    assert store.names() == ["mnist", "other"]
    with pytest.raises(StoreError, match="Input/output error"):
        store.versions("mnist")


def test_flat_folder_is_version_zero(store: ModelStore) -> None:
    write_bundle(store.root / "flat", "flat")
    version = store.current("flat")
    assert (version.number, version.path) == (0, store.root / "flat")
    assert store.versions("flat") == [0]
    assert open_bundle(version.path).params.name == "flat"


def test_numbered_version_beats_the_flat_one(store: ModelStore) -> None:
    write_bundle(store.root / "mnist")
    assert store.install(writer()).number == 1
    assert store.current("mnist").number == 1
    assert store.versions("mnist") == [0, 1]


# These names come from two tests of Triton's L0_lifecycle:
# test_parse_ignore_zero_prefixed_version and test_parse_ignore_non_intergral_version.
@pytest.mark.parametrize(
    "entry",
    ["00", "0", "-1", "+2", "1.0", "2a", "v3", "٣", " 1", "1_0", ".7", "1" * 19, "１"],  # noqa: RUF001
)
def test_folder_that_is_no_version_is_passed_over(
    store: ModelStore, entry: str
) -> None:
    write_bundle(store.root / "mnist" / entry)
    assert store.versions("mnist") == []
    with pytest.raises(ModelNotFound):
        store.current("mnist")


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


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../mnist", ".trash", "a/b", "\0", "ä"]
)
def test_name_that_is_no_name_is_never_looked_for(store: ModelStore, name: str) -> None:
    store.install(writer())
    assert store.versions(name) == []
    with pytest.raises(ModelNotFound):
        store.current(name)
    with pytest.raises(ModelNotFound):
        store.delete(name)
    assert store.names() == ["mnist"]


def test_unknown_model_is_named_and_shortened(store: ModelStore) -> None:
    with pytest.raises(ModelNotFound, match=f"no model '{'x' * 128}';"):
        store.current("x" * 1000)


# --- delete


def test_version_deleted_after_the_listing_is_not_served(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.install(writer())
    listings, versions = iter([[1, 2]]), store.versions
    monkeypatch.setattr(
        store, "versions", lambda name: next(listings, None) or versions(name)
    )
    assert store.current("mnist").number == 1


def test_deleted_model_is_gone_with_all_versions(store: ModelStore) -> None:
    for name in ("mnist", "mnist", "other"):
        store.install(writer(name))
    store.delete("mnist")
    assert store.names() == ["other"]
    assert [path.name for path in store.root.iterdir()] == ["other"]


def test_delete_of_an_unknown_model_is_an_error(store: ModelStore) -> None:
    with pytest.raises(ModelNotFound, match="no model 'nosuch'"):
        store.delete("nosuch")
    assert not store.root.exists()


def test_number_used_again_after_a_delete_has_another_state(store: ModelStore) -> None:
    first = store.install(writer())
    store.delete("mnist")
    again = store.install(writer())
    assert again.number == first.number == 1
    assert again.state != first.state


@pytest.mark.parametrize("failing", ["rename", "mkdir", "fsync"])
def test_delete_that_the_disk_refuses_is_a_store_error(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    store.install(writer())
    before = tree(store.root)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, refuse)
        with pytest.raises(StoreError, match="Read-only file system"):
            store.delete("mnist")
    # The rename is the delete: nothing has changed before it, and all is gone after it.
    assert tree(store.root) == ([] if failing == "fsync" else before)


def test_trash_that_goes_meanwhile_does_not_hide_the_model(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another delete may end here, or a process that starts may sweep.
    store.install(writer())
    rename = os.rename
    raced: list[object] = []

    def racing(source: Any, target: Any) -> None:
        if not raced:
            raced.append(source)
            (store.root / ".trash").rmdir()
        rename(source, target)

    monkeypatch.setattr(os, "rename", racing)
    store.delete("mnist")
    assert raced
    assert tree(store.root) == []


# --- state


def test_state_is_the_same_while_nothing_changes(store: ModelStore) -> None:
    published = store.install(writer())
    assert store.current("mnist").state == published.state
    assert ModelStore(store.root).current("mnist").state == published.state


@pytest.mark.parametrize("file", ["model.onnx", "model.fp16.onnx", "model.int8.onnx"])
@pytest.mark.parametrize("flat", [False, True])
def test_state_tells_an_onnx_from_none_within_one_tick(
    store: ModelStore, flat: bool, file: str
) -> None:
    folder = store.root / "mnist" / ("" if flat else "1")
    write_bundle(folder)
    times = (folder.stat().st_atime_ns, folder.stat().st_mtime_ns)
    without = store.current("mnist").state
    (folder / file).write_bytes(b"1")
    os.utime(folder, ns=times)  # as if the clock had not ticked meanwhile
    having = store.current("mnist").state
    # The exporter replaces the file like this, by a rename.
    (folder / "new").write_bytes(b"2")
    (folder / "new").rename(folder / file)
    os.utime(folder, ns=times)
    other = store.current("mnist").state
    (folder / file).unlink()
    os.utime(folder, ns=times)
    assert len({without, having, other}) == 3
    assert store.current("mnist").state == without


def test_state_says_when_the_folder_changed(store: ModelStore) -> None:
    published = store.install(writer())
    assert published.state[1] == published.path.stat().st_mtime_ns


# --- install refuses, and nothing has changed


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


# --- killed at any step


def die_at(what: str, nth: int, after: bool, work: Callable[[], object]) -> None:
    """Do the work in this process, and SIGKILL it before or after a call of os."""
    real = getattr(os, what)
    count = 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == nth and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return real(*args, **kwargs)
        finally:
            if count == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, what, deadly)
    work()


def killed(what: str, nth: int, after: bool, work: Callable[[], object]) -> bool:
    """Tell whether the child was killed; else it finished with fewer such calls."""
    child = FORK.Process(target=die_at, args=(what, nth, after, work))
    child.start()
    child.join(WAIT)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


STEPS = ["mkdir", "open", "fsync", "rename", "unlink", "rmdir"]
# The kill comes before each call, because the disk is the same after one call and
# before the next. A file that was opened is an exception: it is empty just after that,
# and is written before the next call.
KILLS = [*((step, False) for step in STEPS), ("open", True)]
by_kill = pytest.mark.parametrize(
    ("step", "after"), KILLS, ids=[*(f"{step}-before" for step in STEPS), "open-after"]
)


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


@pytest.mark.slow
@by_kill
def test_killed_delete_keeps_the_model_or_leaves_nothing(
    store: ModelStore, step: str, after: bool
) -> None:
    store.install(writer())
    store.install(writer())
    for nth in range(1, 60):
        died = killed(step, nth, after, lambda: store.delete("mnist"))
        if left := store.versions("mnist"):
            assert left == [1, 2]
            assert all(
                read_files(store.root / "mnist" / str(n)) == bundle_files()
                for n in left
            )
        store.sweep()
        assert {path.name for path in store.root.iterdir()} == (
            {"mnist"} if left else set()
        )
        if not died:
            break
        if not left:
            store.install(writer())
            store.install(writer())
    assert not died
    assert nth > 1


# --- many at once


def in_threads(works: list[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as ex:
            failures.append(ex)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    if failures:
        raise failures[0]


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


def install_many(store: ModelStore, count: int, started: Any) -> None:
    for n in range(count):
        store.install(writer(mark=f"mark{n}"))
        started.set()


@pytest.mark.slow
def test_reader_never_meets_half_a_bundle_or_no_model(store: ModelStore) -> None:
    published = FORK.Event()
    child = FORK.Process(target=install_many, args=(store, 150, published))
    child.start()
    seen: list[int] = []
    alive = True
    while alive or len(seen) < 3:
        alive = child.is_alive()  # is asked first, for one more look after the end
        must_be = published.is_set()
        try:
            version = store.current("mnist")
        except ModelNotFound:
            assert not must_be
            continue
        bundle = open_bundle(version.path)
        assert read_files(version.path) == bundle_files(mark=bundle.params.description)
        seen.append(version.number)
    child.join(WAIT)
    assert child.exitcode == 0
    assert seen == sorted(seen)
    assert seen[-1] == 150


def delete_many(store: ModelStore, stop: Any) -> None:
    while not stop.is_set():
        try:
            store.delete("mnist")
        except ModelNotFound:
            continue


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


def test_sweep_empties_the_trash_and_keeps_the_models(store: ModelStore) -> None:
    store.install(writer())
    write_bundle(store.root / ".trash" / ("0" * 32))
    write_bundle(store.root / ".staging" / ("4" * 32) / "new")
    store.sweep()
    assert tree(store.root / "mnist") == tree(store.current("mnist").path.parent)
    assert [path.name for path in store.root.iterdir()] == ["mnist"]


# --- labels


def installed(store: ModelStore, count: int, name: str = "mnist") -> None:
    for _ in range(count):
        store.install(writer(name))


def test_stable_is_served_before_the_newest(store: ModelStore) -> None:
    installed(store, 3)
    assert store.current("mnist").number == 3
    store.set_label("mnist", "stable", 1)
    assert store.current("mnist") == store.version("mnist", 1)
    assert store.newest("mnist").number == 3
    installed(store, 1)
    assert store.current("mnist").number == 1, "an upload changes nothing"
    store.set_label("mnist", "stable", 2)
    assert store.current("mnist").number == 2
    assert store.delete_label("mnist", "stable") == 2
    assert store.current("mnist").number == 4


def test_labels_are_told_by_name_and_by_version(store: ModelStore) -> None:
    installed(store, 2)
    assert store.labels("mnist") == {}
    store.set_label("mnist", "stable", 1)
    store.set_label("mnist", "canary", 2)
    store.set_label("mnist", "canary", 2)
    assert store.labels("mnist") == {"canary": 2, "stable": 1}
    assert store.labelled("mnist", "canary").number == 2
    assert ModelStore(store.root).labels("mnist") == {"canary": 2, "stable": 1}
    # The file holds the number and a line's end, as a person would write it.
    assert (store.root / "mnist/.labels/canary").read_bytes() == b"2\n"


def test_label_that_is_not_there_is_named(store: ModelStore) -> None:
    installed(store, 1)
    for call in (store.labelled, store.delete_label):
        with pytest.raises(ModelNotFound, match="'mnist' has no label 'canary'"):
            call("mnist", "canary")
        with pytest.raises(ModelNotFound, match="no model 'nosuch'"):
            call("nosuch", "canary")
    assert store.pointed("mnist", "canary") is None
    assert store.labels("nosuch") == {}


@pytest.mark.parametrize(
    "label", ["", "7", ".stable", "../x", "a/b", "-x", "a b", "\0", "ä", "x" * 64]
)
def test_label_that_is_no_name_is_refused(store: ModelStore, label: str) -> None:
    installed(store, 1)
    with pytest.raises(ConflictError, match="is no name for a label"):
        store.set_label("mnist", label, 1)
    for call in (store.labelled, store.delete_label):
        with pytest.raises(ModelNotFound):
            call("mnist", label)
    assert not (store.root / "mnist/.labels").exists()


def test_label_meant_for_a_bundle_is_not_put_on_another_of_its_number(
    store: ModelStore,
) -> None:
    store.install(writer())
    store.install(writer(mark="tried"))
    origin = store.origin("mnist", 2)
    store.set_label("mnist", "canary", 2, origin)
    store.delete_label("mnist", "canary")
    store.delete_version("mnist", 2)
    with pytest.raises(ModelNotFound):
        store.origin("mnist", 2)
    assert store.install(writer(mark="never tried")).number == 2
    with pytest.raises(ConflictError, match="version 2 of 'mnist' was deleted and"):
        store.set_label("mnist", "stable", 2, origin)
    assert store.labels("mnist") == {}


def test_label_of_a_version_that_is_not_there_is_refused(store: ModelStore) -> None:
    installed(store, 1)
    (store.root / "mnist" / "3").write_text("a note")
    for number in (0, 2, 3, -1, 10**18, 10**5000):
        with pytest.raises(ModelNotFound, match="'mnist' has no version"):
            store.set_label("mnist", "stable", number)
    with pytest.raises(ModelNotFound, match="no model 'nosuch'"):
        store.set_label("nosuch", "stable", 1)
    assert store.labels("mnist") == {}


def test_flat_bundle_can_be_labelled(store: ModelStore) -> None:
    write_bundle(store.root / "mnist")
    installed(store, 1)
    store.set_label("mnist", "stable", 0)
    assert store.current("mnist").number == 0
    assert store.names() == ["mnist"]


@pytest.mark.parametrize(
    "content", [b"", b"two", b"-1", b"1.0", b"9" * 20, "٣".encode(), b"\xff", b"1 2"]
)
def test_label_put_by_hand_that_is_no_number_is_none(
    store: ModelStore, content: bytes
) -> None:
    installed(store, 2)
    write_files(store.root / "mnist/.labels", {"stable": content})
    (store.root / "mnist/.labels/folder").mkdir()
    assert store.labels("mnist") == {}
    assert store.current("mnist").number == 2
    store.set_label("mnist", "stable", 1)
    assert store.labels("mnist") == {"stable": 1}


def test_label_whose_version_was_taken_away_by_hand_serves_nothing(
    store: ModelStore,
) -> None:
    installed(store, 2)
    store.set_label("mnist", "stable", 1)
    shutil.rmtree(store.root / "mnist" / "1")
    assert store.current("mnist").number == 2
    with pytest.raises(ModelNotFound, match="no label 'stable'"):
        store.labelled("mnist", "stable")
    assert store.delete_label("mnist", "stable") == 1


def test_label_that_moves_while_it_is_read_is_followed(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(store, 2)
    store.set_label("mnist", "stable", 1)
    version = store.version

    def racing(name: str, number: int) -> Any:
        monkeypatch.setattr(store, "version", version)
        other = ModelStore(store.root)
        other.set_label("mnist", "stable", 2)
        other.delete_version("mnist", 1)
        return version(name, number)

    monkeypatch.setattr(store, "version", racing)
    assert store.labelled("mnist", "stable").number == 2


@pytest.mark.parametrize("name", ["..", "a/b", "../x", ".trash", "\0", "ä", "x" * 200])
def test_version_is_never_looked_for_outside_the_store(
    store: ModelStore, name: str
) -> None:
    installed(store, 1)
    write_bundle(store.root.parent / "x" / "1")
    with pytest.raises(ModelNotFound, match="there is no model"):
        store.version(name, 1)
    with pytest.raises(ModelNotFound, match="there is no model"):
        store.set_label(name, "stable", 1)
    with pytest.raises(ModelNotFound, match="there is no model"):
        store.delete_version(name, 1)
    assert store.labels(name) == {}


def test_model_without_a_flat_bundle_has_no_version_zero(store: ModelStore) -> None:
    installed(store, 1)
    with pytest.raises(ModelNotFound, match="'mnist' has no version 0"):
        store.version("mnist", 0)


# --- one version deleted


def test_deleted_version_is_gone_and_the_others_stay(store: ModelStore) -> None:
    installed(store, 3)
    store.delete_version("mnist", 2)
    assert store.versions("mnist") == [1, 3]
    store.delete_version("mnist", 3)
    assert store.current("mnist").number == 1
    assert [path.name for path in store.root.iterdir()] == ["mnist"]
    with pytest.raises(ModelNotFound, match="'mnist' has no version 3"):
        store.delete_version("mnist", 3)


def test_with_its_last_version_the_model_is_gone(store: ModelStore) -> None:
    installed(store, 1)
    store.set_label("mnist", "stable", 1)
    store.delete_label("mnist", "stable")
    # One file is left of a killed move of a label. The other is a label whose version
    # was deleted by hand.
    write_files(store.root / "mnist/.labels", {".x.0123": b"", "old": b"7"})
    store.delete_version("mnist", 1)
    assert tree(store.root) == []


def test_an_unloaded_model_is_marked_until_it_is_loaded(store: ModelStore) -> None:
    store.install(writer())
    assert not store.is_unloaded("mnist")
    before = (store.root / "mnist").stat().st_mtime_ns
    store.set_unloaded("mnist", True)
    store.set_unloaded("mnist", True)
    assert store.is_unloaded("mnist")
    assert (store.root / "mnist").stat().st_mtime_ns > before
    # It stays in the store, and its versions are as they were.
    assert store.current("mnist").number == 1
    store.install(writer())
    assert store.is_unloaded("mnist")
    store.set_unloaded("mnist", False)
    store.set_unloaded("mnist", False)
    assert not store.is_unloaded("mnist")


def test_only_a_model_of_the_store_is_unloaded(store: ModelStore) -> None:
    for name in ("mnist", "..", ".labels"):
        assert not store.is_unloaded(name)
        with pytest.raises(ModelNotFound):
            store.set_unloaded(name, True)
    assert not store.root.exists()


def test_labelled_version_is_not_deleted(store: ModelStore) -> None:
    installed(store, 2)
    store.set_label("mnist", "canary", 1)
    with pytest.raises(
        ConflictError, match="version 1 of 'mnist' is labelled 'canary'"
    ):
        store.delete_version("mnist", 1)
    store.set_label("mnist", "canary", 2)
    store.delete_version("mnist", 1)
    assert store.versions("mnist") == [2]


def test_flat_bundle_is_not_deleted_alone(store: ModelStore) -> None:
    write_bundle(store.root / "mnist")
    installed(store, 1)
    with pytest.raises(ConflictError, match="put there by hand"):
        store.delete_version("mnist", 0)
    assert store.versions("mnist") == [0, 1]


@pytest.mark.parametrize("failing", ["rename", "mkdir", "fsync"])
def test_version_that_the_disk_refuses_to_delete_is_a_store_error(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    installed(store, 2)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, refuse)
        with pytest.raises(StoreError, match="Read-only file system"):
            store.delete_version("mnist", 1)
    assert store.versions("mnist") == ([2] if failing == "fsync" else [1, 2])


def test_change_of_a_model_that_is_held_for_too_long_is_a_store_error(
    store: ModelStore,
) -> None:
    store = ModelStore(store.root, lock_seconds=0.0)
    installed(store, 2)
    with locked(store.root / "mnist"):
        for change in (
            lambda: store.set_label("mnist", "stable", 1),
            lambda: store.delete_label("mnist", "stable"),
            lambda: store.delete_version("mnist", 1),
            lambda: store.delete("mnist"),
        ):
            with pytest.raises(StoreError, match="another process is changing it"):
                change()
        assert store.install(writer()).number == 3, "who publishes waits for nobody"
        assert store.current("mnist").number == 3


# --- old versions go


def trimming(store: ModelStore, keep: int) -> ModelStore:
    return ModelStore(store.root, keep)


def test_oldest_versions_go_when_another_is_published(store: ModelStore) -> None:
    installed(store, 4)
    assert store.versions("mnist") == [1, 2, 3, 4], "0 keeps all"
    installed(trimming(store, 2), 1)
    assert store.versions("mnist") == [4, 5]
    installed(trimming(store, 1), 1)
    assert store.versions("mnist") == [6]
    assert tree(store.root) == sorted(["mnist", *tree_below(store, "mnist")])


def tree_below(store: ModelStore, name: str) -> list[str]:
    return [f"{name}/{path}" for path in tree(store.root / name)]


def test_labelled_versions_stay_and_are_not_counted(store: ModelStore) -> None:
    installed(store, 3)
    store.set_label("mnist", "stable", 1)
    store.set_label("mnist", "canary", 3)
    installed(trimming(store, 2), 3)
    assert store.versions("mnist") == [1, 3, 5, 6]
    store.set_label("mnist", "stable", 6)
    installed(trimming(store, 2), 1)
    assert store.versions("mnist") == [3, 5, 6, 7]


def test_flat_bundle_is_never_trimmed(store: ModelStore) -> None:
    write_bundle(store.root / "mnist")
    installed(trimming(store, 1), 3)
    assert store.versions("mnist") == [0, 3]


def test_only_the_published_model_is_trimmed(store: ModelStore) -> None:
    installed(store, 3, "other")
    installed(trimming(store, 1), 2)
    assert store.versions("other") == [1, 2, 3]


def test_what_cannot_be_trimmed_is_published_all_the_same(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    installed(store, 1)
    impatient = ModelStore(store.root, keep=1, lock_seconds=0.0)
    with locked(store.root / "mnist"):
        assert impatient.install(writer()).number == 2
    assert store.versions("mnist") == [1, 2]
    assert "mnist: old versions cannot be deleted: the store" in caplog.text
    installed(trimming(store, 1), 1)
    assert store.versions("mnist") == [3], "the next one takes them away"


# --- killed while labels and versions change


def change_label(store: ModelStore) -> None:
    store.set_label("mnist", "stable", 2)


CHANGES: dict[str, Callable[[ModelStore], object]] = {
    "set_label": change_label,
    "delete_label": lambda store: store.delete_label("mnist", "stable"),
    "delete_version": lambda store: store.delete_version("mnist", 3),
    "trim": lambda store: trimming(store, 1).install(writer()),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("step", "after"), [*KILLS, ("replace", False)])
def test_killed_change_leaves_whole_versions_and_labels_that_point_to_one(
    store: ModelStore, change: str, step: str, after: bool
) -> None:
    work = CHANGES[change]
    for nth in range(1, 60):
        shutil.rmtree(store.root, ignore_errors=True)
        installed(store, 4)
        store.set_label("mnist", "stable", 1)
        died = killed(step, nth, after, lambda: work(store))
        store.sweep()
        numbers, labels = store.versions("mnist"), store.labels("mnist")
        assert labels in (
            [{"stable": 1}]
            if change in ("delete_version", "trim")
            else [{"stable": 1}, {"stable": 2}, {}]
        )
        assert set(labels.values()) <= set(numbers)
        for number in numbers:
            assert read_files(store.root / "mnist" / str(number)) == bundle_files()
        assert {path.name for path in store.root.iterdir()} == {"mnist"}
        # The next change of each kind succeeds, and leaves no other files.
        store.set_label("mnist", "stable", 1)
        trimming(store, 1).install(writer())
        assert store.labels("mnist") == {"stable": 1}
        left = {path.name for path in (store.root / "mnist").iterdir()}
        assert left == {".labels", "1", str(max(store.versions("mnist")))}
        assert tree(store.root / "mnist/.labels") == ["stable"]
        if not died:
            break
    assert not died


# --- labels, trims, deletes and publications at once


def move_label(store: ModelStore, seconds_over: Any) -> None:
    while not seconds_over.is_set():
        for number in reversed(store.versions("mnist")):
            try:
                store.set_label("mnist", "stable", number)
            except ModelNotFound:
                continue


def delete_oldest(store: ModelStore, seconds_over: Any) -> None:
    while not seconds_over.is_set():
        for number in store.versions("mnist")[:-1]:
            try:
                store.delete_version("mnist", number)
            except (ModelNotFound, ConflictError):
                continue


@pytest.mark.slow
def test_a_label_never_points_to_a_version_that_was_deleted(store: ModelStore) -> None:
    """Two processes move the label, two delete versions, and two publish and trim."""
    installed(store, 1)
    store.set_label("mnist", "stable", 1)
    over, started = FORK.Event(), FORK.Event()
    changers = [
        FORK.Process(target=target, args=(store, over))
        for target in (move_label, move_label, delete_oldest, delete_oldest)
    ]
    publishers = [
        FORK.Process(target=install_many, args=(trimming(store, 2), 30, started))
        for _ in range(2)
    ]
    for child in (*changers, *publishers):
        child.start()
    while any(child.is_alive() for child in publishers):
        # A reader always finds the label and the whole version that it points to.
        version = store.labelled("mnist", "stable")
        assert (version.path / "params.json").exists() or (
            store.labelled("mnist", "stable") != version
        )
        assert store.current("mnist").number <= store.newest("mnist").number
    over.set()
    for child in (*changers, *publishers):
        child.join(WAIT)
    assert [child.exitcode for child in (*changers, *publishers)] == [0] * 6
    assert store.labels("mnist")["stable"] in store.versions("mnist")
    for number in store.versions("mnist"):
        open_bundle(store.root / "mnist" / str(number))
    assert not (store.root / ".trash").exists()


def label_many(store: ModelStore, count: int) -> None:
    for _ in range(count):
        try:
            store.set_label("mnist", "stable", store.newest("mnist").number)
        except ModelNotFound:
            continue


@pytest.mark.slow
def test_a_label_never_outlives_its_model(store: ModelStore) -> None:
    """A model deleted and published again has no label of the old model."""
    stop, started = FORK.Event(), FORK.Event()
    deleter = FORK.Process(target=delete_many, args=(store, stop))
    workers = [
        FORK.Process(target=install_many, args=(store, 80, started)),
        *(FORK.Process(target=label_many, args=(store, 300)) for _ in range(2)),
    ]
    for child in (deleter, *workers):
        child.start()
    for child in workers:
        child.join(WAIT)
    stop.set()
    deleter.join(WAIT)
    assert [child.exitcode for child in (deleter, *workers)] == [0] * 4
    assert set(store.labels("mnist").values()) <= set(store.versions("mnist"))
    assert not (store.root / ".trash").exists()


def test_threads_of_one_process_wait_for_each_other_too(store: ModelStore) -> None:
    installed(store, 8)

    def label(number: int) -> None:
        try:
            store.set_label("mnist", "stable", number)
        except ModelNotFound:
            assert number not in store.versions("mnist")

    def delete(number: int) -> None:
        try:
            store.delete_version("mnist", number)
        except ConflictError:
            assert number in store.versions("mnist")

    in_threads(
        [
            lambda work=work, n=n: work(n)  # type: ignore[misc]
            for n in range(1, 8)
            for work in (label, delete)
        ]
    )
    assert set(store.labels("mnist").values()) <= set(store.versions("mnist"))


def test_model_published_anew_while_a_label_waited_is_asked_again(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old model is in the trash, and has more versions than the new model."""
    installed(store, 3)
    real = os.open
    raced: list[object] = []

    def racing(path: Any, *rest: Any, **named: Any) -> int:
        descriptor = real(path, *rest, **named)
        if Path(path) == store.root / "mnist" and not raced:
            raced.append(path)
            (store.root / "mnist").rename(store.root.parent / "grave")
            write_bundle(store.root / "mnist" / "1")
        return descriptor

    monkeypatch.setattr(os, "open", racing)
    with pytest.raises(ModelNotFound, match="'mnist' has no version 3"):
        store.set_label("mnist", "stable", 3)
    assert raced
    assert store.labels("mnist") == {}
    assert not (store.root.parent / "grave" / ".labels").exists()


# --- the files of a version


def test_files_of_a_version_are_those_of_its_bundle(store: ModelStore) -> None:
    version = store.install(writer())
    (version.path / ".half-written").touch()
    (version.path / ".git").mkdir()
    (version.path / ".git" / "config").touch()
    assert list(version.files()) == sorted(bundle_files())
    assert {n: p.read_bytes() for n, p in version.files().items()} == bundle_files()


def test_files_of_a_flat_bundle_are_not_those_of_the_versions(
    store: ModelStore,
) -> None:
    write_bundle(store.root / "mnist")
    (store.root / "mnist" / "assets" / "1").mkdir(parents=True)
    (store.root / "mnist" / "assets" / "1" / "words").touch()
    store.install(writer())
    store.set_label("mnist", "stable", 1)
    flat = store.version("mnist", 0)
    assert set(flat.files()) == {*bundle_files(), "assets/1/words"}


def test_files_of_a_version_that_is_gone_cannot_be_listed(store: ModelStore) -> None:
    version = store.install(writer())
    store.delete("mnist")
    with pytest.raises(FileNotFoundError):
        version.files()


# --- links that somebody put into the store


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder that could be on another disk."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_files_behind_links_are_the_bundles_too(
    store: ModelStore, elsewhere: Path
) -> None:
    version = store.install(writer())
    (version.path / "variables").rename(elsewhere / "variables")
    (version.path / "variables").symlink_to(elsewhere / "variables")
    (version.path / "assets").symlink_to(version.path / "variables")
    (elsewhere / "variables" / "round").symlink_to(version.path)
    (elsewhere / "variables" / "gone").symlink_to(elsewhere / "gone")
    names = set(bundle_files())
    behind = {n.partition("/")[2] for n in names if n.startswith("variables/")}
    assert behind
    assert set(version.files()) == names | {f"assets/{name}" for name in behind}


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


@pytest.mark.parametrize("hidden", [".staging", ".trash"])
def test_hidden_folder_that_is_a_link_to_nothing_makes_no_change_hang(
    store: ModelStore, elsewhere: Path, hidden: str
) -> None:
    store.install(writer())
    (store.root / hidden).symlink_to(elsewhere / "not-mounted")
    with pytest.raises(StoreError, match="No such file"):
        store.install(writer()) if hidden == ".staging" else store.delete("mnist")
    assert store.versions("mnist") == [1]


def test_deleted_link_is_gone_and_what_it_points_to_stays(
    store: ModelStore, elsewhere: Path
) -> None:
    installed(store, 2)
    (store.root / "mnist" / "1").rename(elsewhere / "one")
    (store.root / "mnist" / "1").symlink_to(elsewhere / "one")
    store.delete_version("mnist", 1)
    assert {path.name for path in store.root.iterdir()} == {"mnist"}
    (store.root / "mnist").rename(elsewhere / "mnist")
    (store.root / "mnist").symlink_to(elsewhere / "mnist")
    store.delete("mnist")
    assert tree(store.root) == []
    assert read_files(elsewhere / "one") == bundle_files()
    assert read_files(elsewhere / "mnist" / "2") == bundle_files()


def test_sweep_leaves_what_the_store_did_not_make(store: ModelStore) -> None:
    theirs = [".staging/release/file", ".trash/note", ".trash/old/file"]
    for name in theirs:
        path = store.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write_bundle(store.root / ".trash" / ("0" * 32))
    write_bundle(store.root / ".staging" / ("4" * 32) / "new")
    store.sweep()
    left = [path for path in store.root.rglob("*") if path.is_file()]
    assert sorted(p.relative_to(store.root).as_posix() for p in left) == theirs


# --- the last number


def test_no_version_follows_the_highest_number(store: ModelStore) -> None:
    write_bundle(store.root / "mnist" / str(10**18 - 1))
    with pytest.raises(ConflictError, match="999999999999999999 of 'mnist'"):
        store.install(writer())
    assert store.versions("mnist") == [10**18 - 1]
    assert tree(store.root)[:2] == ["mnist", "mnist/999999999999999999"]


# --- found by what a request says


def test_a_version_is_found_by_number_or_label_or_as_the_one_that_is_served(
    store: ModelStore,
) -> None:
    installed(store, 3)
    assert store.find("mnist").number == 3
    store.set_label("mnist", "stable", 2)
    store.set_label("mnist", "canary", 3)
    assert store.find("mnist").number == 2
    assert store.find("mnist", 1).number == 1
    assert store.find("mnist", label="canary").number == 3
    assert store.find("mnist", 1, "canary").number == 1, "a number is the plainer word"
    with pytest.raises(ModelNotFound, match="no model 'other'"):
        store.find("other")


def test_a_number_of_nineteen_digits_is_no_version_whatever_lies_there(
    store: ModelStore,
) -> None:
    installed(store, 1)
    for number in (10**18, 10**18 + 1, -(10**18)):
        write_bundle(store.root / "mnist" / str(number))
        with pytest.raises(
            ModelNotFound, match="'mnist' has no version of that number"
        ):
            store.version("mnist", number)
    write_bundle(store.root / "mnist" / "-1")
    with pytest.raises(ModelNotFound, match="'mnist' has no version -1"):
        store.version("mnist", -1)


# --- what somebody else does right before the one rename


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


@pytest.mark.parametrize("number", [181, 10**17, 10**18 - 1])
def test_a_number_of_up_to_eighteen_digits_is_a_version(
    store: ModelStore, number: int
) -> None:
    installed(store, 1)
    with pytest.raises(ModelNotFound, match=f"'mnist' has no version {number}$"):
        store.version("mnist", number)
    write_bundle(store.root / "mnist" / str(number))
    assert store.version("mnist", number).path.name == str(number)
    assert store.current("mnist").number == number
