"""The tests mutate small rooms, whose faults are counted by hand."""

import textwrap

import pytest

from tools.mutating import __main__ as command
from tools.mutating import bench
from tools.mutating.__main__ import main, named_in
from tools.mutating.bench import ROOT
from tools.mutating.mutants import mutants_of
from tools.mutating.rooms import ROOMS


def names(source):
    return [mutant.name for mutant in mutants_of(textwrap.dedent(source))]


def test_a_constant_a_default_and_a_decorated_body_get_faults():
    found = names(
        """
        LIMIT = 7

        class Room:
            @property
            def is_full(self, at=3):
                return self.people > LIMIT
        """
    )
    assert found == [
        "`LIMIT = 7` → `LIMIT = None`",
        "`LIMIT = 7` → `LIMIT = 8`",
        "`def is_full(self, at=3):` → `def is_full(self, at=4):`",
        "`return self.people > LIMIT` → `return self.people >= LIMIT`",
    ]


def test_what_decides_nothing_gets_none():
    source = '''
        """A room."""

        from __future__ import annotations

        import logging

        from bundle.errors import ShapeError

        __all__ = ["Pair"]

        Pair = tuple[int, int]
        logger = logging.getLogger(__name__)

        def door(pair: Pair[1]) -> None:
            """Tell 1 + 1."""
            logger.info("1 + 1 is %d", 2)
            raise ShapeError("it has 2 " + "doors")
        '''
    assert names(source) == []


def test_a_fault_is_known_by_its_function_and_its_line():
    source = textwrap.dedent(
        """
        class Room:
            def door(self):
                def inner():
                    return 1
                return inner
        """
    )
    (mutant,) = mutants_of(source)
    assert (mutant.line, mutant.function) == (5, "Room.door")
    assert mutant.source == source.replace("return 1", "return 2")


ROOM = '''
"""A room that a test makes."""

import functools

STEP = 1


def up(number):
    return number + STEP


@functools.cache
def down(number):
    return number - STEP


class Stairs:
    @property
    def steps(self):
        return 3

    def climbed(self, number, flights=2):
        return number + self.steps * flights
'''

TESTS = """
from mutate_house.room import Stairs, down, up

def test_up_and_down():
    assert up(1) == 2
    assert down(2) == 1

def test_stairs():
    assert Stairs().climbed(0, 1) == 3
"""


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Make a tree with one room and its tests, apart from this project's files."""
    (tmp_path / "mutate_house").mkdir()
    (tmp_path / "mutate_house" / "__init__.py").touch()
    (tmp_path / "mutate_house" / "room.py").write_text(ROOM)
    tests = tmp_path / "test_room.py"
    tests.write_text(TESTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "RENEWED", ("mutate_house", "test_room"))
    where = ("--rootdir", str(tmp_path), "--import-mode=importlib", str(tests))
    monkeypatch.setattr(bench, "ROOMS", {"mutate_house/room.py": where})
    monkeypatch.setattr(command, "NAMED", tmp_path / "mutants.md")
    return "mutate_house/room.py"


@pytest.mark.slow
def test_those_that_no_test_finds_are_told(room, tmp_path, capsys):
    line = "def climbed(self, number, flights={}):"
    reason = f"- `{line.format(2)}` → `{line.format(3)}`"
    (tmp_path / "mutants.md").write_text(
        f"# Mutants\n\n## {room}\n\n{reason}: no need\n"
    )
    before = (tmp_path / room).read_bytes()
    assert main([room]) == 1
    said = capsys.readouterr().out
    assert "named: `def climbed(self, number, flights=2):`" in said
    assert "NEW: `return number + self.steps * flights`" in said
    # A climb from 0 by 1 flight shows neither a wrong sign nor a wrong product.
    survivors = [line for line in said.splitlines() if line.startswith(f"{room}:")]
    assert [line.partition(": ")[2].partition(" → ")[2] for line in survivors[:-1]] == [
        "`def climbed(self, number, flights=3):`",
        "`return number + self.steps / flights`",
    ]
    assert (tmp_path / room).read_bytes() == before


@pytest.mark.slow
def test_tests_that_fail_without_a_fault_prove_nothing(room, tmp_path):
    (tmp_path / "mutants.md").touch()
    (tmp_path / "test_room.py").write_text(TESTS + "    assert False\n")
    with pytest.raises(SystemExit, match="do not pass without a fault"):
        main([room])


def test_a_room_that_is_not_in_the_table_is_refused():
    with pytest.raises(SystemExit, match=r"no room bundle/nosuch\.py; rooms: bundle/"):
        main(["bundle/nosuch.py"])


def test_reasons_are_looked_for_under_their_own_room():
    text = "# M\n\n## a.py\n\n- one\n\n## b.py\n\n- two\n"
    assert named_in(text, "a.py").strip() == "- one"
    assert named_in(text, "b.py").strip() == "- two"
    assert named_in(text, "c.py") == ""


def test_every_room_of_the_table_and_its_tests_are_there():
    for room, (tests, *_) in ROOMS.items():
        assert (ROOT / room).is_file()
        assert (ROOT / tests).is_file()
