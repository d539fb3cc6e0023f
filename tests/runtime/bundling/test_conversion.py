"""The exporter's outcome becomes a reason or an error; a script stands in for it."""

import sys

import pytest

from runtime.admin.errors import AdminError, WorkFailed
from runtime.bundling import conversion
from runtime.bundling.conversion import convert, demand_exporter, save
from runtime.config import Config

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
