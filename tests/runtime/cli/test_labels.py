import pytest

from tests.runtime.cli.commands import answer, models

pytestmark = pytest.mark.usefixtures("place")


def test_a_label_is_set_moved_and_deleted(store, versions):
    versions(2)
    assert models("label linear:1 canary").stdout == "linear@canary is 1\n"
    assert answer("label linear:2 canary") == {
        "name": "linear",
        "label": "canary",
        "version": 2,
    }
    models("label linear@canary stable")
    assert store.labels("linear") == {"canary": 2, "stable": 2}
    models("label --delete linear canary")
    assert store.labels("linear") == {"stable": 2}


def test_a_label_goes_to_what_loads_alone(store, versions):
    versions(2, broken={2})
    assert "cannot be loaded" in models("label linear:2 stable", 2).stderr
    assert store.labels("linear") == {}


def test_a_rollback_goes_to_the_version_before(store, versions):
    versions(3)
    assert models("rollback linear").stdout == "linear serves version 2\n"
    assert store.labels("linear") == {"stable": 2}
    assert answer("rollback linear") == {
        "name": "linear",
        "label": "stable",
        "version": 1,
    }


def test_a_rollback_passes_over_what_does_not_load(store, versions):
    versions(4, broken={2, 3})
    done = models("rollback linear")
    assert done.stdout == "linear serves version 1\n"
    assert "not linear:3" in done.stderr
    assert "not linear:2" in done.stderr


@pytest.mark.parametrize(("count", "broken"), [(1, ()), (2, {1})])
def test_a_rollback_without_one_before_changes_nothing(store, versions, count, broken):
    versions(count, broken)
    assert "no earlier version loads" in models("rollback linear", 1).stderr
    assert store.labels("linear") == {}


def test_a_rollback_to_a_version_goes_there(store, versions):
    versions(3)
    assert models("rollback linear --to 1").stdout == "linear serves version 1\n"
    assert models("rollback linear --to 3").stdout == "linear serves version 3\n"
    models("rollback linear --to 9", 2)
    assert store.labels("linear") == {"stable": 3}


def test_a_disk_that_will_not_is_no_fault_of_what_was_typed(versions, store):
    versions(1)
    (store.root / "linear" / ".labels").write_text("no folder")
    assert "cannot be" in models("label linear:1 stable", 1).stderr
