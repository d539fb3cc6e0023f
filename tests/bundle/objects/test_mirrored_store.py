"""The store over an object store and its copy."""

from __future__ import annotations


def test_the_machine_that_published_completes_a_version(machine):
    one, two = machine(), machine("two")
    one.publish(1)
    two.mirror.refresh()
    assert one.store.is_own(one.store.find("linear"))
    assert not two.store.is_own(two.store.find("linear"))
