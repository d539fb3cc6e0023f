"""Every change of a store survives a disk that fails, and a kill at any byte.

``test_publication.py`` and ``test_store.py`` kill at each call of ``os``. The tests
here look at calls that fail, and at writes, which Python does not do by ``os``. The
kernel enforces RLIMIT_FSIZE: a write beyond it fails, or SIGXFSZ kills the process.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import shutil
import signal
from collections.abc import Callable

# `make coverage` replaces `os._exit` by a function that writes files, which the limits
# of these tests do not allow.
from posix import _exit
from typing import Any

import pytest

from bundle.errors import StoreError
from bundle.store import ModelStore
from bundle.version import Version
from runtime.publishing.revision import write_revision
from tests.bundle.making import bundle_files, read_files, write_bundle
from tests.examples import file_size_limit

FORK = multiprocessing.get_context("fork")
WAIT = 30.0
# A limit of this size lets the files of a bundle be written whole.
LARGEST = max(len(data) for data in bundle_files(mark="new").values())

Change = Callable[[ModelStore], object]
State = tuple[dict[int, dict[str, bytes]], dict[str, int]]


def revise(store: ModelStore) -> Version:
    version = store.version("mnist", 2)
    changes = {"description": "changed"}
    return store.install(lambda folder: write_revision(version, changes, folder))


CHANGES: dict[str, Change] = {
    "publish": lambda store: store.install(lambda f: write_bundle(f, mark="new")),
    "revise": revise,
    "set_label": lambda store: store.set_label("mnist", "canary", 2),
    "roll_back": lambda store: store.set_label("mnist", "stable", 1),
    "delete_label": lambda store: store.delete_label("mnist", "stable"),
    "delete_version": lambda store: store.delete_version("mnist", 1),
    "delete": lambda store: store.delete("mnist"),
}


def fill(store: ModelStore) -> State:
    """Write two versions, label the second stable, and return what is shown."""
    shutil.rmtree(store.root, ignore_errors=True)
    for mark in ("first", "second"):
        store.install(lambda folder, mark=mark: write_bundle(folder, mark=mark))
    store.set_label("mnist", "stable", 2)
    return shown(store)


def shown(store: ModelStore) -> State:
    """Return all that a reader is shown: each version's files, and the labels."""
    versions = {
        number: read_files(store.root / "mnist" / str(number))
        for number in store.versions("mnist")
    }
    return versions, store.labels("mnist")


def hidden(store: ModelStore) -> set[str]:
    """Return the names of hidden files that a change left."""
    return {
        path.relative_to(store.root).as_posix()
        for path in store.root.rglob(".*")
        if path.name != ".labels"
    }


def after(store: ModelStore, change: Change) -> State:
    fill(store)
    change(store)
    return shown(store)


def limited(limit: int, work: Callable[[], object]) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    work()
    _exit(0)


def ended(limit: int, work: Callable[[], object]) -> int | None:
    """Return the exit code of a child that may write files of ``limit`` bytes."""
    child = FORK.Process(target=limited, args=(limit, work))
    child.start()
    child.join(WAIT)
    return child.exitcode


def limits(state: State) -> list[int]:
    """Return the limits that matter: those just below, at and above each file's end."""
    versions, _ = state
    files = {len(data) for files in versions.values() for data in files.values()}
    # A label's file holds a digit and a newline.
    return sorted({0, 1, 2, *(size + n for size in files for n in (-1, 0, 1))})


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_killed_at_any_write_the_old_state_or_the_new_one_is_whole(
    store: ModelStore, change: str
) -> None:
    work = CHANGES[change]
    new = after(store, work)
    old = fill(store)
    codes = []
    for limit in limits(new):
        codes.append(ended(limit, lambda: work(store)))
        store.sweep()
        if codes[-1] == 0:
            break
        assert shown(store) == old
    assert shown(store) == new
    assert hidden(store) == set()
    assert set(codes[:-1]) <= {-signal.SIGXFSZ}
    # A delete writes no file; each other change writes one, a label at least.
    writes = {"publish", "revise", "set_label", "roll_back"}
    assert bool(codes[:-1]) == (change in writes)


@pytest.mark.parametrize("change", CHANGES)
def test_a_write_that_fails_is_a_store_error_and_changes_nothing(
    store: ModelStore, change: str
) -> None:
    work = CHANGES[change]
    new = after(store, work)
    old = fill(store)
    for limit in range(LARGEST + 40):
        try:
            # Python ignores SIGXFSZ.
            with file_size_limit(limit):
                work(store)
        except StoreError as ex:
            assert os.strerror(errno.EFBIG) in str(ex)
        else:
            break
        assert shown(store) == old
        assert hidden(store) == set(), "nothing is left, without a sweep"
    assert shown(store) == new


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("step", ["mkdir", "open", "fsync", "rename", "replace"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_call_that_fails_is_a_store_error_and_no_mixture(
    store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    step: str,
    number: int,
) -> None:
    work = CHANGES[change]
    new = after(store, work)
    real = getattr(os, step)
    for nth in range(1, 100):
        old = fill(store)
        calls: list[object] = []

        def failing(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)  # noqa: B023
            if len(calls) == nth:  # noqa: B023
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, step, failing)
            try:
                work(store)
            except StoreError as ex:
                assert os.strerror(number) in str(ex)
                assert str(store.root) not in str(ex)
                states = (old, new) if step in ("open", "fsync") else (old,)
                assert shown(store) in states
            else:
                assert shown(store) == new
        store.sweep()
        assert hidden(store) == set()
        if len(calls) < nth:
            return
    pytest.fail("it never came to its end")
