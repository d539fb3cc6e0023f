"""Scratch folders of this process, of killed processes, and of other users."""

import os
from pathlib import Path

import pytest

from bundle.scratch import scratch_folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return the folder in which temporary files are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left_of(place, kind, owner=None):
    """Return a folder as a killed process leaves it."""
    with scratch_folder(kind) as folder:
        name = folder.parent.name
    left = place / f"{name}x"
    (left / "new").mkdir(parents=True)
    (left / "new" / "file").touch()
    if owner is not None:
        os.chown(left, owner, owner)
    return left


def test_it_is_empty_and_goes_with_all_that_is_in_it(place):
    with scratch_folder("test") as folder:
        assert folder.is_relative_to(place)
        assert list(folder.iterdir()) == []
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
    assert list(place.iterdir()) == []


def make_deep(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for _ in range(1100):
        Path("deep").mkdir()
        os.chdir("deep")
    Path("file").touch()


def test_folders_deeper_than_any_path_go_too(place, monkeypatch):
    with scratch_folder("test") as folder:
        make_deep(folder, monkeypatch)
    assert list(place.iterdir()) == []


def test_deep_folders_that_were_left_are_in_nobodys_way(place, monkeypatch):
    left = left_of(place, "test")
    make_deep(left / "new", monkeypatch)
    (left / "link").symlink_to(place.parent)
    with scratch_folder("test"):
        assert not left.exists()
    assert place.exists()


def test_folders_that_may_not_be_listed_go_too(place):
    with scratch_folder("test") as folder:
        (folder / "hidden" / "inner").mkdir(parents=True)
        (folder / "hidden" / "file").touch()
        (folder / "hidden").chmod(0o300)
    assert list(place.iterdir()) == []


def test_others_can_neither_list_it_nor_reach_into_it(place):
    with scratch_folder("test") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o066 == 0


def test_what_killed_processes_left_goes_and_what_the_living_hold_stays(place):
    left, of_another_kind = left_of(place, "test"), left_of(place, "other")
    with scratch_folder("test") as held, scratch_folder("test"):
        assert not left.exists()
        assert of_another_kind.exists()
        assert held.exists()


def test_a_name_that_somebody_made_before_is_in_nobodys_way(place):
    """The name was known once, and a stranger who made it stopped all uploads."""
    known = place / f"test-{os.getuid()}"
    known.symlink_to(place)
    with scratch_folder("test") as folder:
        assert known not in folder.parents


def test_a_link_is_not_followed(place, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").touch()
    (place / f"test-{os.getuid()}-link").symlink_to(elsewhere)
    with scratch_folder("test"):
        assert (elsewhere / "file").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another's folder")
def test_another_users_folder_stays(place):
    left = left_of(place, "test", owner=65534)
    with scratch_folder("test"):
        assert (left / "new" / "file").exists()
