import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config import ConfigError
from runtime.telemetry.counters import VARIABLE, counters_folder


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")  # monkeypatch then restores it
    monkeypatch.delenv(VARIABLE)


def test_several_workers_have_a_folder_that_goes_with_them():
    with counters_folder(2) as folder:
        assert os.environ[VARIABLE] == folder
        (Path(folder) / "counter_1.db").write_bytes(b"")
    assert VARIABLE not in os.environ
    assert not Path(folder).exists()


@pytest.mark.parametrize("value", [None, ""])
def test_one_worker_needs_none(monkeypatch, value):
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with counters_folder(1) as folder:
        assert (folder, VARIABLE in os.environ) == ("", False)


def test_a_folder_that_is_named_is_made_and_stays(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "a" / "b"))
    with counters_folder(2) as folder:
        assert folder == ""
        assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_cannot_be_the_folder(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="cannot be a folder"), counters_folder(2):
        pass


@pytest.mark.slow
def test_gauges_of_processes_that_are_gone_go_and_their_counts_stay(
    monkeypatch, tmp_path
):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    gone, alive = child.pid, os.getpid()
    for name in ("counter", "gauge_livesum", "gauge_livemax"):
        for pid in (gone, alive):
            (tmp_path / f"{name}_{pid}.db").touch()
    (tmp_path / "gauge_livesum_x.db").touch()
    with counters_folder(2):
        assert {path.name for path in tmp_path.iterdir()} == {
            "gauge_livesum_x.db",
            f"counter_{gone}.db",
            *(f"{n}_{alive}.db" for n in ("counter", "gauge_livesum", "gauge_livemax")),
        }
        (tmp_path / f"gauge_livesum_{gone}.db").touch()
    assert not (tmp_path / f"gauge_livesum_{gone}.db").exists()
