import dataclasses
import importlib.util
import os
import shutil
import threading
from pathlib import Path

import onnxruntime
import psutil
import pytest

from bundle import __version__
from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.resources.status import CoreUse
from runtime.services import create_services
from tests.clients import LocalClient
from tests.examples import tar_of, write_bundle


@pytest.fixture
def config(tmp_path):
    return Config(model_dir=tmp_path / "models", provider="cpu", threads=5, workers=2)


@pytest.fixture
def client(config):
    return LocalClient(create_app(create_services(config), config))


def test_tfaas_keys_have_tfaas_types(client):
    """The types were recorded from TFaaS: gopsutil's numbers, and two counts."""
    status = client.simulate_get("/status").json
    assert len(status["CPU"]) == psutil.cpu_count()
    assert all(0 <= percent <= 100 for percent in status["CPU"])
    assert list(status["Load"]) == ["load1", "load5", "load15"]
    assert list(status["Memory"]) == ["Virtual", "Swap"]
    for memory in status["Memory"].values():
        assert list(memory) == ["total", "free", "used", "usedPercent"]
    assert status["Memory"]["Virtual"]["total"] == psutil.virtual_memory().total
    assert status["NGo"] >= threading.active_count()
    assert 0 <= status["Uptime"] < 60
    assert isinstance(status["getRequests"], int)
    assert isinstance(status["postRequests"], int)


def test_ours_say_what_serves(client, tmp_path):
    client.simulate_post("/upload", body=tar_of(write_bundle(tmp_path / "u")))
    status = client.simulate_get("/status").json
    assert status["version"] == __version__
    assert status["pid"] == os.getpid()
    assert status["onnxruntime"] == onnxruntime.__version__
    assert "CPUExecutionProvider" in status["providers"]
    assert status["models"] == ["linear:1"]
    assert (status["threads"], status["workers"]) == (5, 2)
    assert 1 <= status["cpus"] <= os.cpu_count()


@pytest.mark.parametrize("deleted", ["linear/1", "linear"])
def test_what_another_process_deleted_is_not_in_memory(
    client, config, tmp_path, deleted
):
    client.simulate_post("/upload", body=tar_of(write_bundle(tmp_path / "u")))
    assert client.simulate_get("/status").json["models"] == ["linear:1"]
    shutil.rmtree(config.model_dir / deleted)
    assert client.simulate_get("/status").json["models"] == []


def test_it_says_what_decodes_pictures(client):
    decoders = client.simulate_get("/status").json["decoders"]
    quick = {"PNG": "pyspng", "JPEG": "simplejpeg"}
    assert decoders == {
        form: name if importlib.util.find_spec(name) else "Pillow"
        for form, name in quick.items()
    }


def test_it_says_whose_loop_reads_the_network(client):
    """A server that does not tell it, such as waitress, has none of ours."""
    assert client.simulate_get("/status").json["loop"] is None
    told = client.simulate_get("/status", extras={"tfaas.loop": "uvloop"})
    assert told.json["loop"] == "uvloop"


def test_it_says_which_walls_stand(config):
    config = dataclasses.replace(config, walls="off")
    client = LocalClient(create_app(create_services(config), config))
    walls = client.simulate_get("/status").json["walls"]
    assert list(walls) == ["policy", "landlock", "seccomp", "runAsUser", "missing"]
    assert walls["policy"] == "off"
    # A kernel that has filters lists their actions here.
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    assert actions.exists() or not walls["seccomp"]
    stand = [walls["landlock"] > 0, walls["seccomp"]]
    assert len(walls["missing"]) == stand.count(False)


def test_requests_are_counted_by_their_method(client):
    before = client.simulate_get("/status").json
    client.simulate_get("/models")
    client.simulate_get("/nosuch")
    client.simulate_head("/models")
    client.simulate_post("/nosuch")
    after = client.simulate_get("/status").json
    # The first /status is among them: it was counted only after its own numbers were
    # read.
    assert after["getRequests"] - before["getRequests"] == 3
    assert after["postRequests"] - before["postRequests"] == 1


def test_head_answers_without_a_body(client):
    reply = client.simulate_head("/status")
    assert (reply.status_code, reply.content) == (200, b"")


class Clock:
    """A clock, and the kernel's counts, moved by hand."""

    def __init__(self):
        self.now = 100.0
        self.times = [self.of(), self.of()]

    def of(self, **seconds):
        fields = psutil.cpu_times()._fields
        return psutil.cpu_times().__class__(**{**dict.fromkeys(fields, 0.0), **seconds})


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    monkeypatch.setattr("psutil.cpu_times", lambda percpu=False: clock.times)
    return clock


def test_the_cores_are_as_busy_as_the_kernel_counted(clock):
    cores = CoreUse()
    clock.now += 10
    # 3 of 10 s are in use. A guest's second is also one of the user's, and waiting is
    # idle.
    clock.times = [
        clock.times[0]._replace(user=2.0, system=1.0, guest=1.0, idle=6.0, iowait=1.0),
        clock.times[1]._replace(idle=10.0),
    ]
    assert cores.percents() == [30.0, 0.0]


def test_asked_again_at_once_the_cores_are_as_before(clock):
    cores = CoreUse()
    assert cores.percents() == [0.0, 0.0]
    clock.now += 10
    clock.times = [times._replace(user=5.0, idle=5.0) for times in clock.times]
    assert cores.percents() == [50.0, 50.0]
    clock.now += 0.01
    clock.times = [times._replace(user=5.01) for times in clock.times]
    assert cores.percents() == [50.0, 50.0]


def test_another_thread_gets_the_same_cores(clock):
    cores = CoreUse()
    clock.now += 10
    clock.times = [times._replace(user=10.0) for times in clock.times]
    answers = []
    thread = threading.Thread(target=lambda: answers.append(cores.percents()))
    thread.start()
    thread.join()
    assert answers == [[100.0, 100.0]]
