"""The list of changes, between machines that race."""

from __future__ import annotations

import obstore

from bundle.objects.change_list import ChangeList


def test_machines_that_change_the_store_at_once_lose_no_change(machine):
    one, two = machine(), machine("two")
    for name in ("aaaa", "bbbb"):
        one.publish(1, name=name)

    def meddle(operation, key):
        if (operation, key) == ("replace", "changed"):
            one.bucket.hook = lambda operation, key: None
            two.objects.set_label("bbbb", "canary", 1)

    one.bucket.hook = meddle
    one.objects.set_label("aaaa", "canary", 1)
    assert [change.name for change in one.objects.changes()][-2:] == ["bbbb", "aaaa"]


def test_the_list_has_the_last_hundred_changes(machine):
    changes = ChangeList(machine().bucket)
    assert changes.read() == []
    for number in range(103):
        changes.add(f"m{number}")
    names = [change.name for change in changes.read()]
    assert names == [f"m{number}" for number in range(3, 103)]
    assert len({change.id for change in changes.read()}) == 100


def test_a_list_that_is_none_begins_anew(memory, machine):
    obstore.put(memory, "changed", b"{")
    changes = ChangeList(machine().bucket)
    assert changes.read() == []
    changes.add("linear")
    assert [change.name for change in changes.read()] == ["linear"]


def test_where_others_change_the_list_for_ever_it_begins_anew(machine):
    one = machine()
    changes = ChangeList(one.bucket)
    changes.add("lost")
    one.bucket.replace = lambda key, content, tag: False
    changes.add("linear")
    assert [change.name for change in changes.read()] == ["linear"]


def test_a_change_stays_made_where_the_list_cannot_be_written(machine, caplog):
    one = machine()
    one.bucket.is_down = True
    ChangeList(one.bucket).add("linear")
    assert "other machines will see the change later" in caplog.text
