"""Processes show each other their counts by files in one folder."""

import os

import orjson
import pytest

from runtime.watching.exchange import Exchange


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def of_another(folder, content, number=1):
    path = folder / f"watching-1-{number}.json"
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path


def test_a_process_reads_those_of_others_and_not_its_own(folder):
    exchange = Exchange(100, folder)
    exchange.show({"a/1": {"items": 5}})
    of_another(folder, {"a/1": {"items": 7}, "b/1": {}}, 1)
    of_another(folder, {"a/1": {"items": 9}}, 2)
    assert sorted(one["items"] for one in exchange.others("a/1")) == [7, 9]
    assert exchange.others("c/1") == []


def test_what_is_shown_is_a_file_of_this_process(folder):
    exchange = Exchange(100, folder)
    exchange.show({"a/1": {"items": 5}})
    (path,) = folder.iterdir()
    assert path.name == f"watching-1-{os.getpid()}.json"
    assert orjson.loads(path.read_bytes()) == {"a/1": {"items": 5}}


def test_a_file_that_changed_is_read_anew(folder):
    exchange = Exchange(100, folder)
    path = of_another(folder, {"a/1": {"items": 1}})
    assert exchange.others("a/1") == [{"items": 1}]
    of_another(folder, {"a/1": {"items": 2}})
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert exchange.others("a/1") == [{"items": 2}]


def test_the_file_of_a_process_that_ended_goes_when_it_is_old(folder):
    exchange = Exchange(100, folder)
    path = of_another(folder, {"a/1": {}})
    old = path.stat().st_mtime - 101
    os.utime(path, (old, old))
    assert exchange.others("a/1") == []
    assert not path.exists()


def test_a_file_that_is_no_json_is_passed_over(folder):
    of_another(folder, b"{")
    of_another(folder, {"a/1": {"items": 1}}, 2)
    assert Exchange(100, folder).others("a/1") == [{"items": 1}]


def test_one_process_alone_writes_nothing(folder, monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.chdir(folder)
    exchange = Exchange(100)
    exchange.show({"a/1": {}})
    assert exchange.others("a/1") == []
    assert not exchange.is_shared
    assert [*folder.iterdir()] == []


def test_a_folder_that_has_gone_stops_nobody(folder):
    exchange = Exchange(100, folder / "gone")
    exchange.show({"a/1": {}})
    assert exchange.others("a/1") == []
