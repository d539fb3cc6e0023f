"""The tests start real processes of a moment each; none imports TensorFlow."""

import errno
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from exporter.child.run import GIB, Limits, run_in_child
from exporter.errors import (
    ExportError,
    MemoryLimitReached,
    SourceError,
    TimeLimitReached,
    WorkFailed,
)
from runtime.walls import standing
from tests.exporter import works

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# The time is long enough for a busy machine; work that takes longer hangs.
PATIENCE = 60


def run(
    work, job=None, tell=lambda step: None, verbose=False, reads=(), writes=(), **limits
):
    return run_in_child(
        work,
        job,
        limits=Limits(**limits),
        tell=tell,
        verbose=verbose,
        reads=reads,
        writes=writes,
    )


def test_the_result_comes_back_and_steps_are_told_in_order():
    steps = []
    assert run(works.double, 21, steps.append) == 42
    assert steps == ["doubling", "done"]


def test_a_refusal_is_raised_here_as_it_was_there():
    with pytest.raises(SourceError, match="^junk is no model$"):
        run(works.refuse, "junk")


def test_what_nobody_foresaw_is_a_sentence():
    with pytest.raises(ExportError, match="broke off: KeyError: 'Erfc'$"):
        run(works.trip, "Erfc")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (
            errno.ENOSPC,
            "cannot be written: No space left on device; make room there, or",
        ),
        (errno.EROFS, "cannot be written: Read-only file system; mount that"),
        (errno.EIO, "cannot be written: Input/output error; check that disk, or"),
    ],
)
def test_a_full_disk_is_a_sentence_without_the_folder(number, sentence):
    with pytest.raises(WorkFailed, match=sentence) as no:
        run(works.fill_the_disk, number)
    assert "secret" not in str(no.value)


def test_temporary_files_of_the_child_go_with_it(tmp_path, monkeypatch):
    """TensorFlow leaves a file of generated code for each function that it traces."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = Path(run(works.litter))
    assert left.is_relative_to(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_room_for_temporary_files_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(ExportError, match="No such file or directory; set TMPDIR"):
        run(works.double, 21)


@pytest.mark.parametrize(
    ("work", "job", "sentence"),
    [
        (works.die, signal.SIGSEGV, r"crashed \(SIGSEGV\); -v shows"),
        (works.die, signal.SIGABRT, r"crashed \(SIGABRT\)"),
        (works.die, signal.SIGKILL, "killed .* ran out of memory"),
        (works.leave, 3, r"crashed \(exit code 3\)"),
    ],
)
def test_a_death_is_a_sentence(work, job, sentence):
    with pytest.raises(WorkFailed, match=sentence):
        run(work, job)


def test_what_takes_too_long_is_ended_whatever_it_does():
    pids = []
    with pytest.raises(TimeLimitReached, match="longer than 1 s .*--time-limit"):
        run(works.hang, tell=pids.append, seconds=1)
    assert not psutil.pid_exists(int(pids[0]))


def test_what_takes_too_much_memory_is_ended():
    with pytest.raises(MemoryLimitReached, match="more than 0.25 GiB .*--memory-limit"):
        run(works.take, 1, memory_bytes=GIB // 4)


def test_below_its_limits_it_goes_on():
    assert run(works.double, 1, memory_bytes=4 * GIB, seconds=PATIENCE) == 2
    assert run(works.double, 1, seconds=None) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_here_ends_the_child(error):
    pids = []

    def interrupt(pid):
        pids.append(int(pid))
        raise error

    with pytest.raises(error):
        run(works.wait, tell=interrupt)
    assert not psutil.pid_exists(pids[0])


def test_ctrl_c_in_a_terminal_does_not_reach_it():
    assert run(works.session) != os.getsid(0)


@pytest.mark.parametrize("work", ["wait", "hang"])
def test_the_parents_death_ends_it(work):
    """This is so even when the parent's clock and threads are dead with it."""
    script = (
        "from exporter.child.run import Limits, run_in_child\n"
        f"from tests.exporter.works import {work}\n"
        "tell = lambda pid: print(pid, flush=True)\n"
        f"run_in_child({work}, None, limits=Limits(seconds=None), tell=tell)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    # The process that adopts the child may not have collected it yet.
    gone, left = psutil.wait_procs([child], PATIENCE)
    assert gone or all(p.status() == psutil.STATUS_ZOMBIE for p in left)


@pytest.mark.parametrize("verbose", [False, True])
def test_it_speaks_when_asked_to_and_on_standard_error_alone(capfd, verbose):
    run(works.speak, "hello", verbose=verbose)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("hello on 1" in err, "hello on 2" in err) == (verbose, verbose)


def test_nothing_is_imported_from_the_working_folder(tmp_path, monkeypatch):
    """A store, or a folder of models that somebody sent, may hold any file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "psutil.py").write_text("import os; os._exit(9)")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert run(works.speak, "hello") == tmp_path


walled = pytest.mark.skipif(not standing().landlock, reason="a kernel without Landlock")


@walled
def test_it_writes_where_it_may_and_nowhere_else(tmp_path):
    mine, others = tmp_path / "mine", tmp_path / "others"
    mine.mkdir()
    others.mkdir()
    run(works.write, mine / "file", writes=[mine])
    assert (mine / "file").read_text() == "x"
    with pytest.raises(ExportError, match="cannot be written: Permission denied"):
        run(works.write, others / "file", writes=[mine])
    assert list(others.iterdir()) == []
    run(works.write, others / "file", walls="off")
    assert (others / "file").read_text() == "x"


@walled
def test_it_reads_what_it_may_and_nothing_else(tmp_path):
    for name in ("model", "secret"):
        (tmp_path / name).write_text(name)
    assert run(works.read, tmp_path / "model", reads=[tmp_path / "model"]) == "model"
    with pytest.raises(ExportError, match="Permission denied"):
        run(works.read, tmp_path / "secret", reads=[tmp_path / "model"])
    assert run(works.read, tmp_path / "secret", walls="off") == "secret"


@walled
def test_a_link_out_of_the_model_is_told_and_not_followed(tmp_path):
    folder = tmp_path / "model"
    (folder / "assets").mkdir(parents=True)
    (tmp_path / "words").write_text("one")
    (folder / "assets" / "words").symlink_to(tmp_path / "words")
    with pytest.raises(ExportError, match=r"assets/words is a link .* \(cp -rL\)"):
        run(works.read, folder / "assets" / "words", reads=[folder])
    (folder / "assets" / "words").unlink()
    (folder / "words").write_text("one")
    (folder / "assets" / "words").symlink_to("../words")
    assert run(works.read, folder / "assets" / "words", reads=[folder]) == "one"


def test_an_answer_that_is_a_call_is_not_made(tmp_path):
    """The child's answer is a pickle, and a model may have taken over the child."""
    with pytest.raises(
        ExportError, match="answer of the work is not allowed: posix.mkdir"
    ):
        run(works.answer_by_a_call, str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()


def test_an_answer_has_its_greatest_length():
    with pytest.raises(
        ExportError, match="answer of the work is not allowed: bad message len"
    ):
        run(works.answer_at_length, 1 << 17, answer_bytes=1 << 16)


def test_steps_are_no_commands_to_a_terminal():
    steps = []
    run(works.tell_commands, tell=steps.append)
    assert "\x1b" not in steps[0]


def test_who_puts_the_clock_out_of_action_is_ended_all_the_same():
    with pytest.raises(ExportError, match="longer than 1 s .*--time-limit"):
        run(works.outlive_the_clock, seconds=1, grace_seconds=0.5)


def test_it_has_no_variables_but_those_of_engines(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    variables = run(works.variables)
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["HOME"] == variables["TMPDIR"]
    assert not {"AWS_SECRET_ACCESS_KEY", "PATH"} & variables.keys()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@walled
def test_root_has_it_done_by_another_user(tmp_path):
    tmp_path.chmod(0o700)
    mine = tmp_path / "mine"
    mine.mkdir()
    run(works.write, mine / "file", writes=[mine], user="nobody")
    assert (mine / "file").stat().st_uid == pwd.getpwnam("nobody").pw_uid
