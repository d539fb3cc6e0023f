"""A revision is a copy of a version's bundle, with other params or labels."""

import json
import shutil

import pytest

from bundle.errors import BundleError, ModelNotFound
from bundle.manifest import verify_manifest, write_manifest
from bundle.store import ModelStore
from runtime.errors import InvalidInput
from runtime.publishing import revision
from runtime.publishing.revision import KEYS, check_changes, write_revision
from tests.bundle.making import read_files
from tests.examples import write_bundle


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture
def version(store):
    def write(folder):
        write_bundle(folder, params={"author": "me", "op": "x"})
        (folder / "report").mkdir()
        (folder / "report" / "curve.svg").write_text("<svg/>")

    return store.install(write)


@pytest.fixture
def revise(version, tmp_path):
    """Return a function that revises the version; it gives the new params and files."""

    def revise(changes):
        folder = tmp_path / "revision"
        folder.mkdir()
        write_revision(version, changes, folder)
        files = read_files(folder)
        return json.loads(files.pop("params.json")), files

    return revise


def test_all_but_what_is_changed_stays(version, revise):
    before = read_files(version.path)
    stored = json.loads(before.pop("params.json"))
    params, files = revise({"description": "digits", "options": ["a", "b"]})
    assert files == before
    assert params == {**stored, "description": "digits", "options": ["a", "b"]}


def test_null_takes_a_key_away(revise):
    params, _ = revise({"op": None, "description": None})
    assert "op" not in params
    assert "description" not in params, "one that was not there is none either"


def test_a_list_of_labels_is_written_into_their_file(revise):
    params, files = revise({"labels": ["null", "één", "", "zwei"]})
    assert files["labels.txt"].decode() == "null\néén\n\nzwei\n"
    assert params["labels"] == "labels.txt"


def test_labels_of_a_bundle_that_had_none_get_a_file(store, tmp_path):
    version = store.install(
        lambda folder: write_bundle(folder, params={"labels": ""}, labels=())
    )
    folder = tmp_path / "revision"
    folder.mkdir()
    write_revision(version, {"labels": ["a", "b"]}, folder)
    assert json.loads((folder / "params.json").read_text())["labels"] == "labels.txt"
    assert (folder / "labels.txt").read_text() == "a\nb\n"


def test_a_text_of_labels_is_the_name_of_their_file(version, revise):
    (version.path / "german.txt").write_text("null\neins\nzwei\n")
    params, files = revise({"labels": "german.txt"})
    assert params["labels"] == "german.txt"
    assert files["labels.txt"] == b"zero\none\ntwo\n"


def test_the_stores_name_is_the_revisions(store, version, tmp_path):
    shutil.copytree(version.path, store.root / "copy" / "1")
    folder = tmp_path / "revision"
    folder.mkdir()
    write_revision(store.current("copy"), {"op": "y"}, folder)
    assert json.loads((folder / "params.json").read_text())["name"] == "copy"


def test_a_manifest_lists_the_changed_files_anew(version, revise, tmp_path):
    write_manifest(version.path)
    _, files = revise({"labels": ["a", "b", "c"]})
    assert files["manifest.json"] != (version.path / "manifest.json").read_bytes()
    verify_manifest(tmp_path / "revision")


def test_a_bundle_without_a_manifest_gets_none(revise):
    assert "manifest.json" not in revise({"op": "y"})[1]


def test_a_damaged_file_is_not_listed_anew_as_whole(version, revise):
    write_manifest(version.path)
    (version.path / "labels.txt").write_text("one\nzero\ntwo\n")
    with pytest.raises(BundleError, match="labels.txt"):
        revise({"op": "y"})


def test_params_that_would_be_wrong_are_refused(revise):
    with pytest.raises(BundleError, match="'img_channels'"):
        revise({"img_channels": -1})


def test_a_version_that_is_deleted_meanwhile_is_not_found(store, version, revise):
    store.delete("linear")
    with pytest.raises(ModelNotFound, match="version 1 of 'linear' is not there"):
        revise({"op": "y"})


def test_a_file_that_goes_while_all_are_copied_is_not_found(
    store, version, revise, monkeypatch
):
    copy = shutil.copyfile

    def delete_then_copy(source, target):
        if source.exists():
            store.delete("linear")
        return copy(source, target)

    monkeypatch.setattr(revision.shutil, "copyfile", delete_then_copy)
    with pytest.raises(ModelNotFound, match="is not there any more"):
        revise({"op": "y"})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "there is nothing to change; send one of"),
        ({"model": "x.pb"}, "'model' is no key that can be changed"),
        ({"op": "y", "name": "other"}, "'name' is no key that can be changed"),
        ({"x" * 99: 1}, f"^'{'x' * 64}' is no key"),
        ({"labels": []}, "'labels' is empty; send null"),
        ({"labels": ["a", ""]}, "'labels' ends with an empty text"),
        ({"labels": ["a", 1]}, "'labels' holds '1'; each must be a text of one line"),
        ({"labels": ["a\nb"]}, "a text of one line"),
        ({"labels": ["a\r"]}, "a text of one line"),
        ({"labels": ["\ufeffa"]}, "a text of one line"),
        ({"labels": ["\ud800"]}, "a text of one line"),
        ({"labels": ["y" * 99 + "\n"]}, f"holds '{'y' * 64}'"),
    ],
)
def test_what_cannot_be_changed_is_told(revise, changes, sentence):
    for look in (check_changes, revise):
        with pytest.raises(InvalidInput, match=sentence):
            look(changes)


def test_a_key_that_may_be_changed_is_named_where_none_is():
    with pytest.raises(InvalidInput) as raised:
        check_changes({})
    assert all(key in str(raised.value) for key in KEYS)


@pytest.mark.parametrize(
    "changes",
    [{"labels": None}, {"labels": "other.txt"}, {"labels": ["", "a"]}, {"op": None}],
)
def test_what_can_be_changed_is_let_through(changes):
    check_changes(changes)
