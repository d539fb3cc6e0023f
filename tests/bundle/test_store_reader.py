from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ModelNotFound, StoreError
from bundle.folder import open_bundle
from bundle.store import ModelStore
from tests.bundle.killing import FORK, WAIT
from tests.bundle.making import bundle_files, read_files, write_bundle, write_files
from tests.bundle.stores import install_many, installed, writer


def test_store_that_is_not_there_is_empty(store: ModelStore) -> None:
    assert store.names() == []
    assert store.versions("mnist") == []
    store.sweep()
    assert not store.root.exists()


def test_tenth_version_beats_the_ninth(store: ModelStore) -> None:
    for number in (9, 10):
        write_bundle(store.root / "mnist" / str(number))
    assert store.current("mnist").number == 10
    assert store.install(writer()).number == 11


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


def test_version_deleted_after_the_listing_is_not_served(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.install(writer())
    listings, versions = iter([[1, 2]]), store.versions
    monkeypatch.setattr(
        store, "versions", lambda name: next(listings, None) or versions(name)
    )
    assert store.current("mnist").number == 1


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


def test_a_version_is_found_by_number_or_label_or_as_the_one_that_is_served(
    store: ModelStore,
) -> None:
    installed(store, 3)
    assert store.find("mnist").number == 3
    store.set_label("mnist", "stable", 2)
    store.set_label("mnist", "canary", 3)
    assert store.find("mnist").number == store.serving("mnist") == 2
    assert store.find("mnist", 1).number == 1
    assert store.find("mnist", 1).name == "mnist"
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
