"""Code in a real child process tries everything, behind walls and without them."""

import functools
import json
import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.walls import standing
from tests.runtime.walls import attempts
from tests.runtime.walls.attempts import ALLOWED, LANDLOCK, LIMITS, SECCOMP, Place

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
IS_ROOT = os.getuid() == 0
STANDS = standing()
# Landlock answers EXDEV to a link or rename from one folder to another that it forbids.
REFUSED = {"EPERM", "EACCES", "EXDEV"}

# Each child has these walls: none at all, a user, or a kernel that lacks something.
CHILDREN = {
    "open": {"policy": ""},
    "off": {"policy": "off"},
    "walled": {"policy": "auto"},
    "no landlock": {"policy": "auto", "lacks": ["landlock"]},
    "no seccomp": {"policy": "auto", "lacks": ["seccomp"]},
    "neither": {"policy": "auto", "lacks": ["landlock", "seccomp"]},
    "nobody": {"policy": "auto", "user": "nobody"},
}
# These attempts need root's rights or do not work everywhere, even without walls.
NOT_FOR_ALL = {"read_shadow", "tcp6", "signal_all", "read_the_parents_memory"}
# Landlock also refuses these attempts, which do not concern files, since these ABIs.
ALSO_LANDLOCK = {
    "execute": 1,
    "make_pipe": 1,
    "read_the_parents_memory": 1,
    "spawn": 1,
    "truncate": 3,
    "connect": 4,
    "signal_the_parent": 6,
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return the outcome of each attempt in a child; each child runs only once."""

    @functools.cache
    def run(name):
        if name == "nobody" and not (IS_ROOT and STANDS.landlock):
            pytest.skip("only root can become another user")
        if CHILDREN[name].get("lacks") and not STANDS.seccomp:
            pytest.skip("that a kernel has less is made believe by seccomp")
        root = tmp_path_factory.mktemp("place")
        Place(root).make()
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
        ):
            heard.bind(os.fspath(root / "heard"))
            given = {"lacks": [], "root": str(root), "port": server.getsockname()[1]}
            done = subprocess.run(
                [
                    *(sys.executable, "-P", attempts.__file__),
                    json.dumps({**given, **CHILDREN[name]}),
                ],
                env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
                stdout=subprocess.PIPE,
                text=True,
                timeout=60,
                check=True,
            )
        return {**json.loads(done.stdout), "root": root}

    return run


def names(*groups):
    return [attempt.__name__ for group in groups for attempt in group]


@pytest.mark.parametrize("attempt", names(LANDLOCK, SECCOMP, LIMITS, ALLOWED))
def test_without_walls_all_of_it_is_done(told, attempt):
    if attempt in NOT_FOR_ALL:
        pytest.skip("not for every user, nor on every machine")
    assert told("open")[attempt] == "done"


@pytest.mark.skipif(not STANDS.landlock, reason="this kernel has no Landlock")
@pytest.mark.parametrize("child", ["walled", "nobody", "no seccomp"])
@pytest.mark.parametrize("attempt", names(LANDLOCK))
def test_files_outside_are_neither_written_nor_read(told, child, attempt):
    assert told(child)[attempt] in REFUSED


@pytest.mark.skipif(not STANDS.seccomp, reason="this kernel filters no system calls")
@pytest.mark.parametrize("child", ["walled", "nobody", "no landlock"])
@pytest.mark.parametrize("attempt", names(SECCOMP))
def test_no_socket_is_opened_no_program_started_no_process_reached(
    told, child, attempt
):
    assert told(child)[attempt] in REFUSED


@pytest.mark.parametrize("attempt", names(SECCOMP))
def test_where_calls_cannot_be_filtered_landlock_refuses_what_it_can(told, attempt):
    since = ALSO_LANDLOCK.get(attempt, 1 << 30)
    if STANDS.landlock < since and attempt in NOT_FOR_ALL:
        pytest.skip("not for every user, nor on every machine")
    outcome = told("no seccomp")[attempt]
    if STANDS.landlock >= since:
        assert outcome in REFUSED
    else:
        assert outcome == told("open")[attempt]


@pytest.mark.parametrize("child", ["walled", "nobody", "no seccomp"])
def test_nothing_outside_is_another_than_it_was(told, child, tmp_path):
    """This holds even where an attempt got no error."""
    if not STANDS.landlock:
        pytest.skip("this kernel has no Landlock")
    Place(tmp_path).make()
    outside = told(child)["root"] / "outside"
    assert {p.name: p.is_dir() or p.read_text() for p in outside.iterdir()} == {
        p.name: p.is_dir() or p.read_text() for p in (tmp_path / "outside").iterdir()
    }


@pytest.mark.parametrize("child", [name for name in CHILDREN if name != "open"])
@pytest.mark.parametrize("attempt", names(LIMITS))
def test_a_file_has_its_greatest_size_on_every_kernel(told, child, attempt):
    assert told(child)[attempt] == "EFBIG"


@pytest.mark.parametrize("child", CHILDREN)
@pytest.mark.parametrize("attempt", names(ALLOWED))
def test_work_goes_on(told, child, attempt):
    assert told(child)[attempt] == "done"


@pytest.mark.parametrize(
    ("child", "lacks"),
    [
        ("walled", []),
        ("no landlock", ["landlock"]),
        ("no seccomp", ["seccomp"]),
        ("neither", ["landlock", "seccomp"]),
    ],
)
def test_it_tells_which_walls_stand(told, child, lacks):
    offered = ["landlock"] * bool(STANDS.landlock) + ["seccomp"] * STANDS.seccomp
    left = [name for name in offered if name not in lacks]
    assert told(child)["names"] == ["limits", *left]


def test_switched_off_only_limits_are_left(told):
    off, without = told("off"), told("open")
    assert off["names"] == ["limits"]
    same = [name for name in names(LANDLOCK, SECCOMP) if name != "raise_a_limit"]
    assert [off[name] for name in same] == [without[name] for name in same]


def test_root_becomes_another_user_that_reads_roots_bundle(told):
    child = told("nobody")
    assert child["uid"] == pwd.getpwnam("nobody").pw_uid
    assert child["names"][:2] == ["limits", "user"]
    assert child["read_the_bundle"] == "done", "mode 0600, root's"


@pytest.mark.skipif(sys.platform != "linux", reason="they are Linux's")
@pytest.mark.parametrize("child", ["walled", "nobody", "no landlock", "neither"])
def test_no_privilege_is_left_but_to_read(told, child):
    """The child keeps CAP_DAC_READ_SEARCH, or behind Landlock CAP_DAC_OVERRIDE."""
    held = told("open")["capabilities"]
    is_bounded = "landlock" in told(child)["names"]
    expected = held & 4 or held & 2 * is_bounded
    assert told(child)["capabilities"] == expected
