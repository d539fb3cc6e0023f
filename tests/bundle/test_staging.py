from __future__ import annotations

import errno
import multiprocessing
import os
import random
import re
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from bundle.staging import (
    Staging,
    locked,
    replace_file,
    replace_files,
    sync_tree,
)

FORK = multiprocessing.get_context("fork")
WAIT = 20.0


def stage_and_wait(place: Path, pipe: Connection) -> None:
    with Staging(place).folder() as staged:
        (staged / "file").write_bytes(b"half")
        pipe.send(str(staged))
        pipe.recv()


def test_staged_folder_is_empty_and_on_the_same_file_system(tmp_path: Path) -> None:
    with Staging(tmp_path / "not" / "there").folder() as staged:
        assert list(staged.iterdir()) == []
        assert staged.is_relative_to(tmp_path / "not" / "there" / ".staging")


def test_what_is_renamed_away_stays_and_the_rest_goes(tmp_path: Path) -> None:
    with Staging(tmp_path).folder() as staged:
        (staged / "file").write_bytes(b"1")
        staged.rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_is_left_at_an_error_goes(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Staging(tmp_path).folder() as staged:
        (staged / "file").write_bytes(b"1")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with Staging(tmp_path).folder() as one:
        with Staging(tmp_path).folder() as other:
            assert one != other
        assert one.is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_sweep_leaves_the_living_and_takes_the_killed(tmp_path: Path) -> None:
    ours, theirs = FORK.Pipe()
    writer = FORK.Process(target=stage_and_wait, args=(tmp_path, theirs))
    writer.start()
    assert ours.poll(WAIT)
    staged = Path(ours.recv())
    Staging(tmp_path).sweep()
    assert (staged / "file").read_bytes() == b"half"
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(WAIT)
    assert writer.exitcode == -signal.SIGKILL
    assert staged.is_dir()
    Staging(tmp_path).sweep()
    assert list(tmp_path.iterdir()) == []


def test_sweep_takes_the_killed_beside_the_living(tmp_path: Path) -> None:
    left = tmp_path / ".staging" / ("0" * 32) / "new"
    left.mkdir(parents=True)
    with Staging(tmp_path).folder() as staged:
        Staging(tmp_path).sweep()
        assert staged.is_dir()
        assert not left.exists()


def test_sweep_of_nothing_is_quiet(tmp_path: Path) -> None:
    Staging(tmp_path).sweep()
    Staging(tmp_path / "not-there").sweep()
    assert list(tmp_path.iterdir()) == []


def test_writers_and_sweeps_all_at_once_lose_nothing(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(5)
    done = threading.Event()

    def write() -> None:
        try:
            start.wait(WAIT)
            for _ in range(60):
                with Staging(tmp_path).folder() as staged:
                    (staged / "file").write_bytes(b"1")
                    assert (staged / "file").read_bytes() == b"1"
        except BaseException as ex:
            failures.append(ex)

    def sweep() -> None:
        start.wait(WAIT)
        while not done.is_set():
            Staging(tmp_path).sweep()

    writers = [threading.Thread(target=write) for _ in range(4)]
    sweeper = threading.Thread(target=sweep)
    for thread in (*writers, sweeper):
        thread.start()
    for thread in writers:
        thread.join(WAIT)
    done.set()
    sweeper.join(WAIT)
    assert failures == []
    assert list(tmp_path.iterdir()) == []


def test_root_that_goes_as_it_is_looked_at_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another writer ends its work here, between the look that says "it exists" and the
    # next one.
    (tmp_path / ".staging").mkdir()
    mkdir = os.mkdir
    raced: list[str] = []

    def racing(path: object, *args: int, **kwargs: int) -> None:
        try:
            mkdir(path, *args, **kwargs)  # type: ignore[arg-type]
        except FileExistsError:
            if str(path).endswith(".staging") and not raced:
                raced.append(str(path))
                (tmp_path / ".staging").rmdir()
            raise

    monkeypatch.setattr(os, "mkdir", racing)
    with Staging(tmp_path).folder() as staged:
        assert staged.is_dir()
    assert len(raced) == 1


@pytest.mark.parametrize("what", ["mkdir", "open"])
def test_staging_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    real = getattr(os, what)
    calls: list[object] = []

    def failing(path: object, *args: int, **kwargs: int) -> object:
        calls.append(path)
        # mkdir makes .staging and then the folder in it; open opens that folder.
        if len(calls) == {"mkdir": 3, "open": 1}[what]:
            raise OSError(24, "Too many open files")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, what, failing)
    with pytest.raises(OSError, match="Too many"), Staging(tmp_path).folder():
        pass
    assert list(tmp_path.iterdir()) == []


def test_staging_that_is_a_file_is_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    (tmp_path / ".staging").write_bytes(b"")
    with pytest.raises(NotADirectoryError), Staging(tmp_path).folder():
        pass


def test_sync_tree_brings_every_file_and_folder_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_bytes(b"1")
    (tmp_path / "g").write_bytes(b"2")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    sync_tree(tmp_path)
    expected = [tmp_path, *tmp_path.rglob("*")]
    assert sorted(synced) == sorted(path.stat().st_ino for path in expected)


# --- replace_file


def test_replaced_file_has_the_new_bytes_and_no_company(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    replace_file(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_file_is_made_where_there_was_none(tmp_path: Path) -> None:
    replace_file(tmp_path / "f", b"")
    assert (tmp_path / "f").read_bytes() == b""


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_replacement_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    (tmp_path / "f").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def replace_and_die(path: Path, step: str) -> None:
    setattr(os, step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with suppress(BaseException):
        replace_file(path, b"new")


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_killed_replacement_leaves_the_old_file_whole(
    tmp_path: Path, step: str
) -> None:
    (tmp_path / "f").write_bytes(b"old")
    child = FORK.Process(target=replace_and_die, args=(tmp_path / "f", step))
    child.start()
    child.join(WAIT)
    assert child.exitcode == -signal.SIGKILL
    assert (tmp_path / "f").read_bytes() == b"old"


@pytest.mark.parametrize("replaced", [False, True])
def test_reader_is_told_that_the_folder_went_while_it_was_read(
    tmp_path: Path, replaced: bool
) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    with (
        pytest.raises(FileNotFoundError, match=r"taken away|No such file"),
        locked(folder, shared=True),
    ):
        folder.rename(tmp_path / "trash")
        if replaced:
            folder.mkdir()
    if not replaced:
        folder.mkdir()
    with locked(folder):  # The lock's holder knows of the deletion.
        folder.rmdir()


def test_lock_is_waited_for_no_longer_than_its_limit(tmp_path: Path) -> None:
    with locked(tmp_path):
        for shared in (False, True):
            waiting = locked(tmp_path, shared=shared, seconds=0.0)
            with pytest.raises(TimeoutError), waiting:
                pass
    with locked(tmp_path, shared=True), locked(tmp_path, shared=True):
        pass


def test_lock_is_waited_for_as_long_as_its_caller_says(tmp_path: Path) -> None:
    """An export of minutes waits for a load of seconds."""
    started = threading.Event()

    def wait() -> None:
        started.set()
        with locked(tmp_path, seconds=30):
            pass

    with ThreadPoolExecutor() as threads:
        with locked(tmp_path, shared=True):
            waiting = threads.submit(wait)
            assert started.wait(10)
            with pytest.raises(TimeoutError), locked(tmp_path, seconds=0.0):
                pass
            assert not waiting.done()
        waiting.result(30)


# --- replace_files


def test_several_files_are_replaced_by_bytes_and_by_copies(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"copied")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "b").write_bytes(b"old")
    replace_files(folder, {"a": b"bytes", "b": tmp_path / "source"})
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        "a": b"bytes",
        "b": b"copied",
    }


def test_one_that_cannot_be_read_leaves_all_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        replace_files(tmp_path, {"a": b"new", "b": tmp_path / "none"})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


def test_bytes_are_on_the_disk_before_their_rename_and_the_names_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, int]] = []
    replace, fsync = os.replace, os.fsync

    def noted_fsync(fd: int) -> None:
        is_folder = os.path.samestat(os.fstat(fd), tmp_path.stat())
        steps.append(("folder", 0) if is_folder else ("file", os.fstat(fd).st_size))
        fsync(fd)

    def noted_replace(source: Path, target: Path) -> None:
        steps.append((Path(target).name, Path(source).stat().st_size))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    replace_files(tmp_path, {"a": b"12345", "b": b"1234567"})
    assert steps == [("file", 5), ("file", 7), ("a", 5), ("b", 7), ("folder", 0)]


def test_a_file_of_several_pieces_is_copied_whole(tmp_path: Path) -> None:
    content = random.Random(1).randbytes((1 << 20) + 3)
    (tmp_path / "source").write_bytes(content)
    (tmp_path / "folder").mkdir()
    replace_files(tmp_path / "folder", {"a": tmp_path / "source"})
    assert (tmp_path / "folder" / "a").read_bytes() == content


def test_temporary_files_are_hidden_and_of_one_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who lists the folder meanwhile passes them over."""
    seen: list[str] = []
    replace = os.replace

    def noted(source: Path, target: Path) -> None:
        seen.extend(path.name for path in tmp_path.iterdir())
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    for _ in range(2):
        replace_file(tmp_path / "f", b"1")
    temporary = [name for name in seen if name != "f"]
    assert len(set(temporary)) == 2
    assert all(re.fullmatch(r"\.f\.[0-9a-f]{32}", name) for name in temporary)


@pytest.mark.parametrize(
    "name", ["release", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 31 + "\n"]
)
def test_sweep_leaves_names_that_staging_does_not_make(
    tmp_path: Path, name: str
) -> None:
    kept = tmp_path / ".staging" / name
    kept.mkdir(parents=True)
    Staging(tmp_path).sweep()
    assert kept.is_dir()


def test_sweep_takes_all_that_were_left(tmp_path: Path) -> None:
    for digit in "09af":
        (tmp_path / ".staging" / (digit * 32) / "new").mkdir(parents=True)
    Staging(tmp_path).sweep()
    assert list(tmp_path.iterdir()) == []


def test_a_link_among_what_was_left_stays_and_so_does_what_it_points_to(
    tmp_path: Path,
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    (tmp_path / "place" / ".staging").mkdir(parents=True)
    (tmp_path / "place" / ".staging" / ("0" * 32)).symlink_to(tmp_path / "theirs")
    Staging(tmp_path / "place").sweep()
    assert (tmp_path / "theirs" / "file").exists()


def test_a_lock_is_tried_again_every_hundredth_of_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock goes on with each sleep, and the patience ends after ten seconds."""
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += 1.0

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", sleep)
    with (
        locked(tmp_path),
        pytest.raises(TimeoutError, match="another process is changing it") as raised,
        locked(tmp_path),
    ):
        pass
    assert raised.value.errno == errno.ETIMEDOUT
    # The ten seconds are not over at 110.0; they are over at 111.0.
    assert slept == [0.01] * 11


def test_readers_keep_a_writer_out_and_a_writer_readers(tmp_path: Path) -> None:
    for first, second in ((True, False), (False, True), (False, False)):
        with (
            locked(tmp_path, shared=first),
            pytest.raises(TimeoutError),
            locked(tmp_path, shared=second, seconds=0),
        ):
            pass
    with locked(tmp_path, seconds=0):  # All locks have been released.
        pass


def test_a_lock_is_let_go_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path, seconds=0):
        pass


def test_what_is_no_folder_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError), locked(tmp_path / "file"):
        pass


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    with Staging(tmp_path).folder() as staged:
        (staged / "file").write_bytes(b"1")
        sync_tree(staged)
    (tmp_path / ".staging" / ("0" * 32)).mkdir(parents=True)
    Staging(tmp_path).sweep()
    with locked(tmp_path):
        pass
    replace_file(tmp_path / "f", b"1")
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_sweep_takes_what_was_left_among_what_is_not_its_own(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / ".staging" / f"theirs-{number}").mkdir(parents=True)
    (tmp_path / ".staging" / ("0" * 32) / "new").mkdir(parents=True)
    Staging(tmp_path).sweep()
    names = {path.name for path in (tmp_path / ".staging").iterdir()}
    assert names == {f"theirs-{number}" for number in range(40)}


def test_a_staging_folder_that_somebody_took_away_is_no_error(tmp_path: Path) -> None:
    with Staging(tmp_path).folder() as staged:
        shutil.rmtree(staged.parent)
    assert list(tmp_path.iterdir()) == []
