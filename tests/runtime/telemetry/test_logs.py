import contextlib
import json
import logging
import os
import re
import socket
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from runtime.config import Config
from runtime.telemetry.journey import CURRENT, Journey
from runtime.telemetry.logs import (
    DailyFileHandler,
    ErrorHandler,
    Seldom,
    set_up_logs,
)

logger = logging.getLogger("runtime.models.registry")
access = logging.getLogger("runtime.requests")
ROOT = Path(__file__).resolve().parents[3]
HOST = socket.gethostname()


@pytest.fixture
def journey():
    CURRENT.set(Journey("abc-1", trace_id="f" * 32))
    yield
    CURRENT.set(None)


def set_up(tmp_path, **settings):
    """Return a log file, and a function that reads its lines."""
    prefix = tmp_path / "tfaas.log"
    set_up_logs(Config(log_file=str(prefix), **settings))
    (path,) = tmp_path.iterdir()
    return lambda: path.read_text().splitlines()


def test_a_plain_line_says_when_how_grave_and_who(tmp_path):
    lines = set_up(tmp_path)
    logger.warning("%s falls back", "mnist")
    (line,) = lines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING runtime.models.registry:"
        r" mnist falls back",
        line,
    )


@pytest.mark.parametrize(
    ("verbose", "names"),
    [(0, ["warning"]), (1, ["info", "warning"]), (2, ["debug", "info", "warning"])],
)
def test_verbose_says_how_much(tmp_path, verbose, names):
    lines = set_up(tmp_path, verbose=verbose)
    for name in ("debug", "info", "warning"):
        getattr(logger, name)(name)
    assert [line.rpartition(" ")[2] for line in lines()] == names


def test_requests_are_logged_whatever_verbose_is(tmp_path):
    lines = set_up(tmp_path)
    access.info({"method": "GET"})
    access.debug({"method": "HEAD"})
    (line,) = lines()
    assert line.endswith("INFO runtime.requests: method=GET")


def test_health_is_logged_at_verbose_2(tmp_path):
    lines = set_up(tmp_path, verbose=2)
    access.debug({"path": "/livez"})
    assert "DEBUG runtime.requests: path=/livez" in lines()[0]


def test_access_log_false_silences_requests_alone(tmp_path):
    lines = set_up(tmp_path, access_log=False, verbose=2)
    access.info({"method": "GET"})
    logger.info("loaded")
    assert [line[-6:] for line in lines()] == ["loaded"]


def test_a_line_within_a_request_bears_its_id(tmp_path, journey):
    lines = set_up(tmp_path)
    logger.warning("a fallback")
    access.info({"method": "GET"})
    ids = f" request_id=abc-1 trace_id={'f' * 32}"
    assert lines()[0].endswith("a fallback" + ids)
    assert lines()[1].endswith("method=GET" + ids)


def test_a_json_line_has_the_same_and_its_fields(tmp_path, journey):
    lines = set_up(tmp_path, log_format="json")
    logger.warning("%s falls back", "mnist")
    access.info({"status": 200, "ms": 1.5, "path": '/a"\nb'})
    first, second = (json.loads(line) for line in lines())
    ids = {"request_id": "abc-1", "trace_id": "f" * 32}
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("ts")
    )
    assert first == {
        "level": "WARNING",
        "logger": "runtime.models.registry",
        "message": "mnist falls back",
        **ids,
    }
    del second["ts"]
    assert second == {
        "level": "INFO",
        "logger": "runtime.requests",
        "status": 200,
        "ms": 1.5,
        "path": '/a"\nb',
        **ids,
    }


def test_a_traceback_forges_no_line(tmp_path):
    lines = set_up(tmp_path)
    try:
        raise ValueError("evil\n2025-01-01 00:00:00,000 INFO runtime: all is well")
    except ValueError:
        logger.exception("failed")
    first, *rest = lines()
    assert first.endswith("runtime.models.registry: failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in rest)


def test_a_traceback_in_json_is_one_line(tmp_path):
    lines = set_up(tmp_path, log_format="json")
    try:
        raise ValueError("evil\nline")
    except ValueError:
        logger.exception("failed")
    (line,) = lines()
    assert json.loads(line)["exc_info"].endswith("ValueError: evil\nline")


# -- files ----------------------------------------------------------------------------


def test_a_file_has_tfaas_name_and_a_new_day_has_a_new_one(tmp_path):
    days = [date(2025, 11, 22)]
    handler = DailyFileHandler(str(tmp_path / "log"), lambda: days[-1])
    handler.emit(logging.makeLogRecord({"msg": "saturday"}))
    days.append(date(2025, 11, 23))
    handler.emit(logging.makeLogRecord({"msg": "sunday"}))
    handler.close()
    assert (tmp_path / f"log-{HOST}-20251122").read_text() == "saturday\n"
    assert (tmp_path / f"log-{HOST}-20251123").read_text() == "sunday\n"


def test_files_older_than_a_week_are_removed_and_no_others(tmp_path):
    days = [date(2025, 11, 22)]
    for name in ("20251114", "20251115", "20251116", "20251116.gz", "2025111"):
        (tmp_path / f"log-{HOST}-{name}").touch()
    (tmp_path / "log-otherhost-20200101").touch()
    handler = DailyFileHandler(str(tmp_path / "log"), lambda: days[-1])
    left = {path.name.rpartition("-")[2] for path in tmp_path.iterdir()}
    kept = {"20251115", "20251116", "20251116.gz", "2025111", "20200101", "20251122"}
    assert left == kept
    days.append(date(2025, 11, 23))
    handler.emit(logging.makeLogRecord({"msg": "sunday"}))
    handler.close()
    left = {path.name.rpartition("-")[2] for path in tmp_path.iterdir()}
    assert left == (kept - {"20251115"}) | {"20251123"}


def test_a_file_that_was_moved_away_is_made_again(tmp_path):
    lines = set_up(tmp_path)
    (path,) = tmp_path.iterdir()
    logger.warning("one")
    path.rename(tmp_path / "kept")
    logger.warning("two")
    assert [line[-3:] for line in lines()] == ["two"]


def test_a_day_that_cannot_be_written_fails_no_request(tmp_path, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    folder = tmp_path / "logs"
    folder.mkdir()
    days = [date(2025, 11, 22)]
    handler = DailyFileHandler(str(folder / "log"), lambda: days[-1])
    folder.rename(tmp_path / "gone")
    days.append(date(2025, 11, 23))
    handler.emit(logging.makeLogRecord({"msg": "lost"}))
    folder.mkdir()
    handler.emit(logging.makeLogRecord({"msg": "there"}))
    handler.close()
    assert (folder / f"log-{HOST}-20251123").read_text() == "there\n"


def test_a_full_disk_costs_a_line_a_minute(tmp_path, capsys):
    """A write to /dev/full always fails with "No space left on device"."""
    day = date(2025, 11, 22)
    path = tmp_path / f"log-{HOST}-{day:%Y%m%d}"
    path.symlink_to("/dev/full")
    handler = DailyFileHandler(str(tmp_path / "log"), lambda: day)
    for _ in range(1000):
        handler.handle(logging.makeLogRecord({"msg": "lost"}))
    told = "runtime: the log cannot be written: No space left on device; 1 line is lost"
    assert capsys.readouterr().err.splitlines() == [told]
    path.unlink()
    for word in ("one", "two"):
        handler.handle(logging.makeLogRecord({"msg": word}))
    told = "runtime: the log can be written again; 1000 lines are lost"
    assert capsys.readouterr().err.splitlines() == [told]
    handler.close()
    assert path.read_text().splitlines() == ["one", "two"]


def test_what_happens_often_is_said_once_a_minute_with_its_number():
    now = [100.0]
    seldom = Seldom(lambda: now[0])
    assert [seldom.count() for _ in range(5)] == [1, 0, 0, 0, 0]
    now[0] += 60
    assert [seldom.count() for _ in range(2)] == [5, 0]


def test_on_a_full_standard_error_requests_go_on():
    full = Path("/dev/full").open("w")  # noqa: SIM115
    ErrorHandler(full).handle(logging.makeLogRecord({"msg": "lost"}))
    with contextlib.suppress(OSError):
        full.close()


WRITE = """
import logging, sys
from runtime.telemetry.logs import DailyFileHandler
handler = DailyFileHandler(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(300):
    handler.emit(logging.makeLogRecord({"msg": sys.argv[2] * 9999}))
"""


@pytest.mark.slow
def test_processes_do_not_write_into_each_others_lines(tmp_path):
    """The lines exceed all buffers: each must be one write, which appends."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path / "log"), letter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        for letter in "ab"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().split()]
    assert sorted(lines) == ["a" * 9999] * 300 + ["b" * 9999] * 300


def test_a_name_that_is_no_text_can_be_logged(tmp_path):
    lines = set_up(tmp_path)
    logger.warning("a file %s", os.fsdecode(b"\xff"))
    assert lines()[0].endswith("a file \\udcff")


def test_waitress_says_where_it_listens_whatever_verbose_is():
    set_up_logs(Config(verbose=0))
    assert logging.getLogger("waitress").isEnabledFor(logging.INFO)
    assert not logging.getLogger("runtime").isEnabledFor(logging.INFO)
