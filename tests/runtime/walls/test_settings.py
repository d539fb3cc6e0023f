"""Impossible settings are refused; the walls are logged, and few variables are left."""

import os

import pytest

from runtime import walls
from runtime.config import Config, ConfigError
from runtime.errors import WallsError
from runtime.services import create_services
from runtime.walls.standing import Standing
from tests.runtime.walls.child import said_by

IS_ROOT = os.geteuid() == 0


@pytest.mark.skipif(not IS_ROOT, reason="root alone gets so far")
@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("no-such-user", "no such user; make it with 'useradd --system no-such-user'"),
        ("root", "it must be a user without privileges"),
    ],
)
def test_a_user_that_it_cannot_be_is_told_at_the_start(tmp_path, user, sentence):
    with pytest.raises(ConfigError, match=sentence):
        create_services(Config(model_dir=tmp_path / "models", run_as_user=user))


@pytest.mark.slow
def test_who_is_not_root_becomes_nobody_else():
    script = """
import os
from runtime.config import ConfigError
from runtime import walls
if os.getuid() == 0:
    os.setuid(65534)
try:
    walls.check("auto", "nobody")
except ConfigError as ex:
    print(ex)
"""
    assert "this process is not root's" in said_by(script)


def test_switched_off_nobody_is_asked_for(tmp_path):
    walls.check("off", "no-such-user")


def test_what_is_missing_is_told_and_what_it_means():
    whole, files, calls = Standing(7, True), Standing(7, False), Standing(0, True)
    assert (whole.is_whole, files.is_whole, calls.is_whole) == (True, False, False)
    assert whole.missing == ()
    (clause,) = files.missing
    assert "sockets and programs are not walled off" in clause
    (clause,) = calls.missing
    assert "files are not walled off" in clause


LESS = """
import sys
from tests.runtime.walls.kernels import without
without([sys.argv[1]])
from runtime import walls
print(walls.standing().is_whole)
print(walls.sentence("require", ""))
print(walls.sentence("auto", ""))
try:
    walls.enclose(walls.Room((), (), 1 << 20), "require")
except walls.WallsError as ex:
    open("/dev/null").close()
    print(ex)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not walls.standing().seccomp, reason="made believe by a filter, see kernels.py"
)
@pytest.mark.parametrize(
    ("lacks", "open_"), [("landlock", "files"), ("seccomp", "sockets and programs")]
)
def test_where_walls_are_demanded_and_missing_nothing_is_opened(lacks, open_):
    whole, required, auto, refused = said_by(LESS, lacks).splitlines()
    assert whole == "False"
    assert required == refused
    assert "are not opened here, because 'walls' is 'require'" in refused
    assert f"so {open_} are not walled off" in refused
    assert auto.startswith("other people's models are opened behind ")
    assert lacks not in auto.lower()


def test_demanded_walls_that_stand_are_no_error():
    if walls.standing().is_whole:
        walls.demand("require")
    else:
        with pytest.raises(WallsError):
            walls.demand("require")
    walls.demand("auto")
    walls.demand("off")
