"""The exporter's outcome becomes a reason or an error; a script stands in for it."""

import signal
import stat
import subprocess
import sys
import time

import psutil
import pytest

from runtime.admin.errors import AdminError, WorkFailed
from runtime.bundling import conversion
from runtime.bundling.conversion import convert, demand_exporter, save, workplace
from runtime.config import Config
from runtime.process.environment import child_environment

PATIENCE = 120

pytestmark = pytest.mark.slow

CONFIG = Config()


@pytest.fixture
def exporter(tmp_path, monkeypatch):
    """Return a function that puts a script in the exporter's place."""

    def replace(script):
        command = (sys.executable, "-c", script)
        monkeypatch.setattr(conversion, "EXPORTER", command)
        monkeypatch.setattr(conversion, "exporter_for", lambda config: command)

    return replace


def ends(outcome, reason="", code=0):
    told = f'{{"outcome": "{outcome}", "reason": "{reason}"}}'
    return f"import sys; print('a line before'); print({told!r}); sys.exit({code})"


def test_a_conversion_that_worked_has_no_reason(exporter, tmp_path):
    exporter(ends("converted"))
    assert convert(tmp_path, CONFIG) == ""


def test_a_refusal_is_a_reason(exporter, tmp_path):
    exporter(ends("refused", "it is no good", 1))
    assert convert(tmp_path, CONFIG) == "it is no good"
    with pytest.raises(AdminError, match="it is no good"):
        save(tmp_path / "x.keras", tmp_path / "out", CONFIG)


def test_a_crash_is_no_fault_of_the_model(exporter, tmp_path):
    exporter(ends("failed", "the disk is full", 1))
    with pytest.raises(WorkFailed, match=r"failed \(exit code 1\): the disk is full"):
        convert(tmp_path, CONFIG)
    exporter("import sys; sys.exit('no module\\nreally')")
    with pytest.raises(WorkFailed, match=r"failed \(exit code 1\): really"):
        convert(tmp_path, CONFIG)
    exporter("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(WorkFailed, match=r"failed \(SIGKILL\)"):
        convert(tmp_path, CONFIG)


# A command that waits for the exporter; a script stands in for that, too. It starts a
# process in a session of its own, and both would sleep on.
WAITING = """
import sys
from pathlib import Path
from runtime.bundling import conversion
from runtime.config import Config
conversion.exporter_for = lambda config: (sys.executable, "-c", sys.argv[1])
conversion.convert(Path(), Config())
"""
SLEEPING = """
import os, pathlib, subprocess, sys, time
command = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(command, start_new_session=True)
file = pathlib.Path({file!r})
file.with_suffix(".new").write_text(f"{{os.getpid()}} {{child.pid}}")
file.with_suffix(".new").rename(file)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_the_exporter_ends_with_the_command_that_wants_it(tmp_path, number):
    file = tmp_path / "started"
    script = SLEEPING.format(file=str(file))
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, script],
        env={**child_environment(), "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    ) as command:
        try:
            end = time.monotonic() + PATIENCE
            while not file.exists():
                assert command.poll() is None
                assert time.monotonic() < end
                time.sleep(0.02)
            works = [psutil.Process(int(pid)) for pid in file.read_text().split()]
            command.send_signal(number)
            command.wait(PATIENCE)
        finally:
            command.kill()
    _, left = psutil.wait_procs(works, PATIENCE)
    # Their new parent may not have collected them yet.
    left = [work for work in left if work.status() != psutil.STATUS_ZOMBIE]
    for work in left:
        work.kill()
    assert left == []


@pytest.mark.parametrize(("user", "mode"), [("", 0o700), ("models", 0o711)])
def test_the_user_that_opens_models_gets_to_them(user, mode):
    with workplace("tfaas-test", Config(run_as_user=user)) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_the_part_and_the_place_are_handed_on(exporter, tmp_path):
    exporter(
        "import sys, json; print(json.dumps({'outcome': 'refused',"
        " 'reason': ' '.join(sys.argv[1:])}))"
    )
    options = ("--signature", "train")
    told = convert(tmp_path / "net", CONFIG, options, tmp_path / "out")
    assert told == f"--signature train --output {tmp_path}/out {tmp_path}/net"


def test_a_work_for_the_exporter_alone_is_refused_without_it(monkeypatch):
    monkeypatch.setattr(conversion, "can_convert", lambda: False)
    with pytest.raises(
        AdminError, match="a frozen graph needs the exporter, .*install"
    ):
        demand_exporter("a frozen graph")
