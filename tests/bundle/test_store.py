from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ConflictError, ModelNotFound, StoreError
from bundle.spec import ModelSpec
from bundle.staging import locked
from bundle.store import ModelStore
from tests.bundle.killing import KILLS, by_kill, killed
from tests.bundle.making import bundle_files, read_files, write_bundle, write_files
from tests.bundle.stores import installed, tree, trimming, writer


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


def test_sweep_empties_the_trash_and_keeps_the_models(store: ModelStore) -> None:
    store.install(writer())
    write_bundle(store.root / ".trash" / ("0" * 32))
    write_bundle(store.root / ".staging" / ("4" * 32) / "new")
    store.sweep()
    assert tree(store.root / "mnist") == tree(store.current("mnist").path.parent)
    assert [path.name for path in store.root.iterdir()] == ["mnist"]


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
    assert (store.root / "mnist" / ".unloaded").exists()
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


def test_the_number_that_stays_can_be_changed(store: ModelStore) -> None:
    installed(store, 3)
    store.keep_versions(2)
    installed(store, 1)
    assert store.versions("mnist") == [3, 4]


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


def test_another_folder_of_the_number_is_told_and_is_the_version_then(
    store: ModelStore,
) -> None:
    write_bundle(store.root / "mnist" / "7")
    write_bundle(store.root / "mnist" / "007")
    assert store.delete_version("mnist", 7) == "007"
    assert store.version("mnist", 7).path.name == "007"
    installed(store, 1)
    assert store.delete_version("mnist", 7) == ""
    assert store.versions("mnist") == [8]


def test_a_store_in_a_folder_has_nothing_elsewhere(store: ModelStore) -> None:
    version = store.install(writer())
    store.check_there(ModelSpec("mnist", 1))
    with pytest.raises(ModelNotFound):
        store.check_there(ModelSpec("mnist", 2))
    assert store.here is store
    assert store.behind() == 0
    assert store.age() is None
    assert store.away("mnist") is None
    assert store.is_own(version)
    assert store.holding(len) is len
