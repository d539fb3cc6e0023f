"""The doctor's findings: what would stop the start, and what is doubtful."""

import os
import resource
import socket
import time
from importlib.metadata import metadata

import pytest

from runtime.config import Config
from runtime.doctor import engines, findings, machine
from runtime.doctor.findings import findings_of
from tests.examples import write_bundle

DIGEST = "0" * 64


@pytest.fixture
def find(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def find(workers=1, is_served=False, **settings):
        config = Config(port=0, **{"provider": "cpu", **settings})
        found = findings_of(config, workers, lambda: is_served)
        return [(one.stops, one.sentence) for one in found]

    return find


def test_a_plain_machine_has_no_findings(find):
    assert find() == []


def test_each_check_of_the_start_speaks_and_what_stops_it_comes_first(find):
    found = find(cache_bytes=1, log_file="/", write_tokens_file="none", trial_bytes=1)
    stops = [sentence for is_stop, sentence in found if is_stop]
    assert len(stops) == 3, "one wrong setting hides no other"
    assert [is_stop for is_stop, _ in found] == sorted(
        (is_stop for is_stop, _ in found), reverse=True
    )
    assert any("'cacheBytes' (1) is less than" in sentence for _, sentence in found)


@pytest.mark.slow
def test_a_port_that_is_taken_stops_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = Config(port=taken.getsockname()[1], provider="cpu")
        ((stops, sentence),) = [
            (one.stops, one.sentence) for one in findings_of(config, 1, lambda: False)
        ]
        assert stops
        assert sentence.endswith("Address already in use")
        (served,) = findings_of(config, 1, lambda: True)
        assert not served.stops
        assert served.sentence.endswith("a service answers there, perhaps this one")


def test_an_open_address_without_tokens_is_doubtful(find):
    told = [sentence for _, sentence in find(host="0.0.0.0")]
    assert ["writeTokens" in told[0], "predictTokens" in told[1]] == [True, True]
    tokens = {"write_tokens": (DIGEST,), "predict_tokens": (DIGEST,)}
    (told,) = find(host="0.0.0.0", **tokens)
    assert "clear text" in told[1]
    assert DIGEST not in told[1]
    assert find(host="localhost", **tokens) == []


def test_broken_models_are_counted_and_the_first_are_named(find, tmp_path):
    write_bundle(tmp_path / "models" / "fine" / "1")
    for number in range(7):
        broken = write_bundle(tmp_path / "models" / f"broken{number}" / "1")
        (broken / "params.json").write_text("{")
    ((stops, sentence),) = find()
    assert not stops
    assert sentence.startswith("7 models of the store cannot be opened: broken0: ")
    assert "broken4: " in sentence
    assert sentence.endswith("; and 2 more")


def test_too_little_memory_disk_and_files_are_doubtful(find, monkeypatch):
    monkeypatch.setattr(findings, "usable_memory", lambda: 1000)
    monkeypatch.setattr(findings, "free_bytes", lambda folder: 2000)
    limits = (10, 20)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits)
    told = [sentence for _, sentence in find(workers=3)]
    assert "3 workers with all models of the store take some 201326592 bytes" in told[0]
    assert "models (modelDir) has only 2000 free bytes" in told[1]
    assert "may have 20 files open" in told[-1]


def test_an_end_that_takes_longer_than_managers_wait_is_doubtful(find):
    assert find(drain_seconds=24) == []
    ((stops, told),) = find(drain_seconds=60)
    assert not stops
    assert "'drainSeconds' is 60" in told
    assert "TimeoutStopSec" in told


def test_cuda_that_is_demanded_and_missing_stops_the_start(find, monkeypatch):
    monkeypatch.setattr(findings, "why_no_cuda", lambda: "there is no GPU here")
    ((stops, sentence),) = find(provider="cuda")
    assert stops
    assert sentence.startswith("'provider' is 'cuda': there is no GPU here")
    assert find(provider="auto") == []


def test_walls_that_are_off_or_demanded_in_vain_are_doubtful(find, monkeypatch):
    ((_, sentence),) = find(walls="off")
    assert "'walls' is 'off'" in sentence


def test_a_clock_that_is_behind_the_store_or_the_program_is_seen(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    assert list(machine.clock_faults(tmp_path)) == []
    later = time.time() + 3600
    os.utime(tmp_path / "mnist", (later, later))
    (told,) = machine.clock_faults(tmp_path)
    assert told.startswith("the store has a change of ")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    told, _ = machine.clock_faults(tmp_path)
    assert "1970-01-01" in told
    assert list(machine.clock_faults(tmp_path / "none")) == [told]


def test_the_disk_of_a_folder_that_is_not_there_is_its_parent_s(tmp_path):
    there = machine.free_bytes(tmp_path)
    assert there is not None
    free = machine.free_bytes(tmp_path / "a" / "b")
    assert free is not None
    assert abs(free - there) < 1 << 30


def test_extras_are_those_of_the_project_and_their_packages_are_known():
    others = {"dev", "release", "site"}
    assert {*metadata("tfaas-onnx").get_all("Provides-Extra")} == {
        *engines.EXTRAS,
        *others,
    }


def test_missing_packages_of_an_extra_are_named(monkeypatch):
    lines = [
        "always>=1",
        "there>=1; extra == 'grpc'",
        "lacking[x]>=1; extra == 'grpc'",
        "elsewhere>=1; sys_platform == 'win32' and extra == 'grpc'",
        "other>=1; extra == 'netron'",
    ]
    monkeypatch.setattr(engines, "requires", lambda name: lines)
    versions = {"there": "1"}
    monkeypatch.setattr(engines, "_version", versions.get)
    assert engines.missing_of("grpc") == ["lacking"]
    assert engines.missing_of("netron") == ["other"]
    assert engines.missing_of("tune") == []
