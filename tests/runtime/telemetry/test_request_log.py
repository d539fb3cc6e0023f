import logging
import multiprocessing
import threading

import pytest

from runtime.telemetry.answered import Answered
from runtime.telemetry.lines import PlainLines
from runtime.telemetry.logs import DailyFileHandler
from runtime.telemetry.request_log import RequestLog
from tests.runtime.ending import answer, answer_and_drain


class Target(logging.Handler):
    """A handler that keeps what it gets, and the name of the thread that gives it."""

    def __init__(self):
        super().__init__()
        self.texts = []
        self.threads = []
        self.has_come = threading.Event()

    def emit(self, record):
        self.texts.append(record.getMessage())
        self.threads.append(threading.current_thread().name)
        self.has_come.set()


class Ids:
    """A form of lines that has a request's id alone."""

    def request(self, answered):
        return answered.request_id


def request(name):
    return Answered(
        *(name, "", "", None, "", 0, 0.0, logging.INFO, "GET", "GET", "/", "/"),
        *(200, 0.5, (None,) * 4, "127.0.0.1", None, None),
    )


@pytest.fixture
def target():
    return Target()


@pytest.fixture
def log(target):
    return RequestLog(target, Ids(), logging.INFO)


@pytest.fixture
def asleep(log):
    """Let the writing thread sleep until the end of the tests."""
    log.soon.seconds = 3600


def test_many_requests_are_written_at_once(asleep, log, target):
    for number in range(300):
        log.note(request(str(number)))
    assert target.texts == []
    log.flush()
    assert len(target.texts) == 3
    assert "\n".join(target.texts).split("\n") == [str(n) for n in range(300)]


def test_without_anybody_who_flushes_a_request_is_written(log, target):
    for name in ("one", "two"):
        log.note(request(name))
        assert target.has_come.wait(30)
        target.has_come.clear()
    assert target.texts == ["one", "two"]
    assert set(target.threads) == {"request log"}


def test_another_line_comes_after_the_requests_before_it(asleep, log, target):
    log.note(request("one"))
    log.handle(logging.makeLogRecord({"msg": "a warning"}))
    log.note(request("two"))
    log.close()
    assert target.texts == ["one", "a warning", "two"]


def test_if_the_thread_gets_no_turn_another_one_writes(target):
    log = RequestLog(target, Ids(), logging.INFO, most=10)
    log.soon.seconds = 3600
    for number in range(11):
        log.note(request(str(number)))
    assert target.threads == [threading.current_thread().name]
    assert target.texts[0].split() == [str(n) for n in range(11)]


def test_nothing_is_lost_between_threads(log, target):
    def note(name):
        for number in range(1000):
            log.note(request(f"{name} {number}"))

    threads = [threading.Thread(target=note, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for _ in range(50):
        log.flush()
    for thread in threads:
        thread.join()
    log.flush()
    lines = "\n".join(target.texts).split("\n")
    assert len(lines) == 4000
    for name in "abcd":
        of_it = [line for line in lines if line.startswith(name)]
        assert of_it == [f"{name} {number}" for number in range(1000)]


def test_a_full_disk_loses_each_line_of_a_write(tmp_path, asleep, capsys):
    """A write to /dev/full always fails with "No space left on device"."""
    full = DailyFileHandler(str(tmp_path / "log"))
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.symlink_to("/dev/full")
    log = RequestLog(full, PlainLines(), logging.INFO)
    for _ in range(3):
        log.note(request("lost"))
    log.flush()
    told = "the log cannot be written: No space left on device; 3 lines are lost"
    assert told in capsys.readouterr().err
    path.unlink()
    log.note(request("there"))
    log.close()
    assert "can be written again; 3 lines are lost" in capsys.readouterr().err
    assert path.read_text().endswith(" request_id=there\n")


@pytest.mark.slow
@pytest.mark.parametrize("work", [answer, answer_and_drain])
def test_a_process_that_ends_writes_the_rest(tmp_path, work):
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(str(tmp_path / "log"),)
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    (path,) = tmp_path.iterdir()
    assert path.read_text().endswith(" request_id=last\n")
