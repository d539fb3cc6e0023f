from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundle.store import ModelStore
from tests.bundle.making import bundle_files, write_bundle
from tests.bundle.stores import writer


def test_number_used_again_after_a_delete_has_another_state(store: ModelStore) -> None:
    first = store.install(writer())
    store.delete("mnist")
    again = store.install(writer())
    assert again.number == first.number == 1
    assert again.state != first.state


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
