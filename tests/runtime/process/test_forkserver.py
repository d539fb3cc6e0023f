"""One process forks all children, and each runs under its guard."""

import contextlib
import os
import sys

import psutil
import pytest

from runtime.process.forkserver import ForkServer, NotStarted
from runtime.process.guard import TOO_SLOW, Limits
from tests.runtime import dying

pytestmark = pytest.mark.slow

LIMITS = Limits(60, 1 << 30, 0)
SHOW = "from tests.runtime import forked; print(forked.PREPARED_IN[0])"
PAUSE = "import signal; print(os.getpid(), flush=True); signal.pause()"


@pytest.fixture
def serve():
    with contextlib.ExitStack() as opened:

        def make(module="tests.runtime.forked", variables=None, **options):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            environment |= variables or {}
            server = ForkServer([module], environment, **options)
            return opened.enter_context(contextlib.closing(server))

        yield make


def said(server, order, limits=LIMITS):
    """Return the output of a child, and its exit code."""
    with server.start(order, limits) as child:
        return child.output.read(), child.wait()


def where(server):
    """Return the process that prepared the module, or None if it has ended."""
    text, code = said(server, SHOW)
    assert code == 0
    return psutil.Process(int(text)) if psutil.pid_exists(int(text)) else None


def test_one_process_prepares_for_all(serve):
    server = serve()
    first = where(server)
    assert first.pid != os.getpid()
    assert where(server) == first
    other = serve()
    assert where(other) != first


def test_a_child_says_what_it_has_to_and_how_it_ended(serve):
    server = serve()
    assert said(server, "print('out'); print('err', file=sys.stderr)")[1] == 1
    order = (
        "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)"
    )
    assert said(server, order) == ("out\nerr\n", 0)
    assert said(server, "raise SystemExit(3)")[1] == 3
    assert said(server, "os.kill(os.getpid(), 9)") == ("", 128 + 9)
    text, code = said(server, "raise ValueError('so it is')")
    assert code == 1
    assert text.endswith("ValueError: so it is\n")


def test_a_sentence_that_it_exits_with_is_told(serve):
    assert said(serve(), "raise SystemExit('so it is')") == ("so it is\n", 1)


def test_an_order_may_be_long(serve):
    text = "x" * (1 << 20)
    assert said(serve(), f"print(len({text!r}))") == (f"{1 << 20}\n", 0)


def test_it_is_guarded(serve):
    limits = Limits(0.5, 1 << 30, 0)
    assert said(serve(), "while True: pass", limits) == ("", TOO_SLOW)
    order = "os.write(os.open('large', os.O_CREAT | os.O_WRONLY), b'x' * 9)"
    text, code = said(serve(), f"os.chdir(os.environ['TMPDIR']); {order}; print(1)")
    assert (text, code) == ("1\n", 0)


def test_a_child_has_nothing_of_the_servers(serve):
    """A child has no orders of others, and no pipe but the one that it writes to."""
    order = """
for name in sorted(os.listdir("/proc/self/fd")):
    try:
        print(name, os.readlink(f"/proc/self/fd/{name}"))
    except FileNotFoundError:
        pass  # the listing's own
"""
    text, code = said(serve(), order)
    assert code == 0
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    assert lines[0] == ["0", os.devnull]
    pipe = lines[1][1]
    assert lines[1:3] == [["1", pipe], ["2", pipe]]
    assert not any(t.startswith(("pipe:", "socket:")) for _, t in lines[3:])


def test_what_nobody_wants_any_more_ends(serve):
    with serve().start(PAUSE, LIMITS) as child:
        process = psutil.Process(int(child.output.readline()))
    assert psutil.wait_procs([process], 60)[1] == []


def test_many_at_a_time_are_told_apart(serve):
    server = serve()
    with contextlib.ExitStack() as opened:
        children = [
            opened.enter_context(server.start(f"print({n}); exit({n})", LIMITS))
            for n in range(8)
        ]
        for n, child in enumerate(children):
            assert (child.output.read(), child.wait()) == (f"{n}\n", n)


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_one_that_was_ended_is_started_anew(serve, end):
    server = serve()
    process = where(server)
    getattr(process, end)()
    psutil.wait_procs([process], 60)
    assert where(server) != process


def test_one_that_is_not_asked_ends_and_is_started_when_it_is(serve):
    server = serve(idle_seconds=0.1)
    process = where(server)
    assert process is None or psutil.wait_procs([process], 60)[1] == []
    assert said(server, "print(2)") == ("2\n", 0)


def test_it_ends_with_the_one_who_started_it(serve):
    server = serve()
    process = where(server)
    server.close()
    assert not process.is_running()


def test_an_order_that_one_took_with_it_as_it_ended_is_given_to_another(
    serve, tmp_path
):
    """A process without work may end at the moment at which it gets an order."""
    left = tmp_path / "left"
    left.write_text("x")
    server = serve(dying.__name__, {dying.VARIABLE: str(left)})
    assert said(server, "so it is") == ("so it is\n", 0)
    assert left.read_text() == ""


def test_where_each_ends_as_it_is_asked_that_is_said(serve):
    server = serve(dying.__name__)
    before = psutil.Process().num_fds()
    for _ in range(2):
        with pytest.raises(NotStarted, match="ends as soon as it is started"):
            server.start("so it is", LIMITS)
    assert psutil.Process().num_fds() == before
