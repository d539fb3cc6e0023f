"""The room of a copy on a machine."""

from __future__ import annotations

from tests.bundle.objects.asking import factor_of


def sized(machine, name, count):
    """Return a machine with room for so many of the bundles of these tests."""
    first = machine("size")
    first.publish(1, name="aaaa")
    size = first.mirror.copy.record("aaaa", 1).size
    first.store.delete("aaaa")
    return machine(name, max_bytes=count * size)


def test_versions_unused_longest_make_room(machine):
    two = sized(machine, "two", 2)
    one = machine()
    for name in ("aaaa", "bbbb", "cccc"):
        one.publish(1, name=name)
    two.mirror.refresh()
    two.store.find("aaaa")
    two.store.find("bbbb")
    two.mirror.copy.uses.note("aaaa", 1)
    two.store.find("cccc")
    assert [two.here(name) for name in ("aaaa", "bbbb", "cccc")] == [[1], [], [1]]
    # It comes again when it is asked for.
    assert two.store.find("bbbb").number == 1


def test_versions_in_memory_stay(machine):
    two = sized(machine, "two", 1)
    one = machine()
    one.publish(1, name="aaaa")
    one.publish(1, name="bbbb")
    two.mirror.refresh()
    two.store.find("aaaa")
    held = two.mirror.copy.uses.hold("aaaa", 1)
    two.store.find("bbbb")
    assert two.here("aaaa") == [1]
    two.mirror.copy.uses.release(held)
    two.mirror.copy.uses.note("bbbb", 1)
    two.mirror.room.make()
    assert [two.here(name) for name in ("aaaa", "bbbb")] == [[], [1]]


def test_the_version_that_serves_goes_last(machine):
    two = sized(machine, "two", 2)
    one = machine()
    for factor in (1, 2, 3):
        one.publish(factor, name="aaaa")
    one.store.set_label("aaaa", "stable", 1)
    two.mirror.refresh()
    two.store.find("aaaa", 1)
    two.store.find("aaaa", 2)
    two.store.find("aaaa", 3)
    assert two.here("aaaa") == [1, 3]
    assert factor_of(two, "aaaa") == 1
