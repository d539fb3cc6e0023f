from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ConflictError, ModelNotFound, StoreError
from bundle.folder import open_bundle
from bundle.staging import locked
from bundle.store import ModelStore
from tests.bundle.killing import FORK, WAIT
from tests.bundle.making import write_bundle
from tests.bundle.stores import (
    delete_many,
    in_threads,
    install_many,
    installed,
    trimming,
    writer,
)


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
