"""The guard watches real processes; each prints a line when it is at work."""

import io
import itertools
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from runtime.process import guard

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 120
MUCH = 1 << 40

pytestmark = pytest.mark.slow

# This starts another process in a new session, which would outlive it, and says so.
PARENT = """
import subprocess, sys, time
child = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
one = subprocess.Popen(child, stdout=subprocess.PIPE, start_new_session=True)
one.stdout.readline()
print(one.pid, flush=True)
"""
SLEEPS = f"{PARENT}\ntime.sleep(600)"


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Set TMPDIR, because a guard that is killed leaves its temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@contextmanager
def guarded(script, *, seconds=600, max_bytes=MUCH, **more):
    limits = [str(seconds), str(max_bytes), "19"]
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "runtime.process.guard",
            *limits,
            sys.executable,
            "-c",
            script,
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **more,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def code_of(script, **limits):
    with guarded(script, **limits) as process:
        return process.wait(PATIENCE)


def is_gone(pid):
    try:
        psutil.Process(pid).wait(PATIENCE)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", 0),
        ("raise SystemExit(2)", 2),
        ("import os; os.abort()", 128 + signal.SIGABRT),
        ("import os; os.kill(os.getpid(), 9)", 128 + signal.SIGKILL),
    ],
)
def test_it_exits_as_the_command_does(script, code):
    assert code_of(script) == code


def test_what_takes_too_long_is_killed_with_all_that_it_started():
    with guarded(SLEEPS, seconds=3) as process:
        grandchild = int(process.stdout.readline())
        assert process.wait(PATIENCE) == guard.TOO_SLOW
        assert is_gone(grandchild)


def test_what_takes_too_much_memory_is_killed():
    script = "a = []\nwhile True: a.append(b'x' * (1 << 20))"
    assert code_of(script, max_bytes=200 << 20) == guard.TOO_LARGE


def test_another_user_gets_through_its_folder_of_temporary_files():
    """The exporter gives a folder in it to ``runAsUser``."""
    script = (
        "import os, stat; print(oct(stat.S_IMODE(os.stat(os.environ['TMPDIR'])[0])))"
    )
    with guarded(script) as process:
        assert process.stdout.read() == "0o711\n"


def test_a_limit_of_files_that_is_there_is_not_raised():
    """A process that is not root's may not raise it, and would not start at all."""
    script = "import resource; print(resource.getrlimit(resource.RLIMIT_FSIZE))"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))

    with guarded(script, preexec_fn=limit) as process:
        assert process.stdout.read() == f"({1 << 30}, {1 << 30})\n"
        assert process.wait(PATIENCE) == 0


MANY = """
import tempfile, threading, time
held = [tempfile.TemporaryFile() for _ in range(4)]
for file in held:
    file.write(bytes(64 << 20))
    file.flush()
time.sleep(600)
"""
NAMED = MANY.replace("TemporaryFile", "NamedTemporaryFile")
IN_MEMORY = MANY.replace("tempfile.TemporaryFile()", "open(os.memfd_create('x'), 'wb')")
SMALL = """
import pathlib, tempfile, time
folder = pathlib.Path(tempfile.mkdtemp())
for number in range(11_000):
    (folder / str(number)).touch()
time.sleep(600)
"""
DEEP = """
import os, tempfile, time
os.chdir(tempfile.mkdtemp())
for _ in range(3000):
    os.mkdir("deep")
    os.chdir("deep")
time.sleep(600)
"""
THREADS = """
import threading, time
threading.stack_size(1 << 15)
for _ in range(300):
    threading.Thread(target=time.sleep, args=[600]).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells of them")
@pytest.mark.parametrize(
    "script",
    [NAMED, MANY, f"import os{IN_MEMORY}", SMALL, DEEP, THREADS],
    ids=["files", "nameless", "memfd", "many", "deep", "threads"],
)
def test_what_is_not_in_its_memory_counts(script, tmp_path):
    assert code_of(script, max_bytes=200 << 20) == guard.TOO_LARGE
    assert not list(tmp_path.iterdir()), "and nothing is left of it"


def test_who_writes_without_end_is_read_at_leisure():
    end = time.monotonic() + 0.5
    lines = guard.lines_of(io.StringIO("\n" * 1_000_000), 80)
    read = sum(1 for _ in itertools.takewhile(lambda _: time.monotonic() < end, lines))
    # The guard reads some lines at once, and then as many each tenth of a second.
    assert 2048 <= read <= 6 * 2048


def test_the_memory_of_all_its_processes_counts():
    eats = "a = b'x' * (120 << 20); import time; time.sleep(600)"
    script = f"""
import subprocess, sys, time
both = [subprocess.Popen([sys.executable, "-c", {eats!r}]) for _ in range(2)]
time.sleep(600)
"""
    assert code_of(script, max_bytes=200 << 20) == guard.TOO_LARGE


def test_what_nobody_wants_any_more_is_killed_with_all_that_it_started():
    with guarded(SLEEPS) as process:
        grandchild = int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(PATIENCE) == guard.UNWANTED
        assert is_gone(grandchild)


def test_what_a_command_leaves_behind_ends_with_it():
    with guarded(PARENT) as process:
        left = int(process.stdout.readline())
        assert process.wait(PATIENCE) == 0
        assert is_gone(left)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_guard_that_is_killed_takes_the_command_with_it():
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with guarded(script) as process:
        command = int(process.stdout.readline())
        process.kill()
        assert is_gone(command)


def test_sigterm_ends_both():
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with guarded(script) as process:
        command = int(process.stdout.readline())
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert is_gone(command)


def told(script, **more):
    with guarded(script, **more) as process:
        return process.stdout.read().split()


def test_the_command_goes_last_and_has_no_terminal():
    script = """
import os, psutil
print(os.nice(0), int(psutil.Process().ionice().ioclass), os.getsid(0) == os.getpid())
"""
    # The niceness of this process, which is 0 as a rule, is where the guard's begins.
    assert told(script) == [str(min(19, os.nice(0) + 19)), "3", "True"]


def test_signals_that_the_service_holds_back_reach_the_command():
    script = """
import signal
print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
print(signal.getsignal(signal.SIGHUP) == signal.SIG_DFL)
"""

    def hold_back():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert told(script, preexec_fn=hold_back) == ["0", "True"]


def test_nothing_temporary_is_left_of_what_was_killed(tmp_path):
    script = """
import tempfile, time
print(tempfile.NamedTemporaryFile(delete=False).name, flush=True)
time.sleep(600)
"""
    with guarded(script) as process:
        left = Path(process.stdout.readline().strip())
        assert left.exists()
        assert left.is_relative_to(tmp_path)
        process.stdin.close()
        process.wait(PATIENCE)
        assert not left.parent.exists()


def test_what_a_guard_left_that_was_killed_goes_with_the_next(tmp_path):
    script = """
import tempfile, time
print(tempfile.NamedTemporaryFile(delete=False).name, flush=True)
time.sleep(600)
"""
    with guarded(script) as process, guarded(script) as living:
        left = Path(process.stdout.readline().strip())
        stays = Path(living.stdout.readline().strip())
        process.kill()
        process.wait(PATIENCE)
        assert left.exists()
        assert code_of("") == 0
        assert not left.exists()
        assert stays.exists(), "the guard of this one is at work"


AUTOGROUP = Path("/proc/self/autogroup")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="a kernel without such groups")
def test_what_the_command_starts_in_another_session_goes_last_too():
    grandchild = """
import pathlib, time
end = time.monotonic() + 20
while not (group := pathlib.Path("/proc/self/autogroup").read_text()).endswith(" 5\\n"):
    if time.monotonic() > end: break
    time.sleep(0.05)
print(group.split()[-1])
"""
    script = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {grandchild!r}], start_new_session=True)
"""
    assert told(script) == ["5"]


def test_what_ends_after_its_parent_keeps_no_number():
    script = """
import os, time
if not os.fork():
    if not os.fork():
        print(os.getpid(), flush=True)
    os._exit(0)
os.wait()
time.sleep(600)
"""
    with guarded(script) as process:
        assert is_gone(int(process.stdout.readline()))


def test_the_command_inherits_no_files():
    script = "import os; print(*sorted(os.listdir('/proc/self/fd'), key=int))"
    with tempfile.TemporaryFile() as held:
        # Number 3 is the descriptor of the listing itself.
        fds = [held.fileno()]
        assert told(script, pass_fds=fds) == ["0", "1", "2", "3"]
