"""Workers end in ways of their own, and their parent bears it or gives up."""

import json
import signal
import time

import psutil
import pytest

from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, serving
from tests.examples import write_bundle

# A worker that ends so long after its start has ended soon, also on a busy machine.
PATIENT = (
    "python -c 'import runtime.server.parent as parent; parent.SOON_SECONDS = 3600.0;"
    ' from runtime.cli import main; main(prog_name="runtime")\' serve --port 0'
)


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path / "models" / "linear" / "1")
    (tmp_path / "config.json").write_text(json.dumps({"verbose": 1}))
    return tmp_path


def serves(server):
    return CLIENT.get(f"{server.url}/livez").status_code == 200


def test_workers_that_end_as_soon_as_they_serve_are_not_started_forever(folder):
    with serving(f"{PATIENT} --workers 1", folder) as server:
        for _ in range(3):
            # The connection waits in the socket's queue until a worker is there.
            assert serves(server)
            (worker,) = server.workers()
            worker.send_signal(signal.SIGABRT)
            psutil.wait_procs([worker], PATIENCE)
        assert server.process.wait(PATIENCE) == 1
    said = (folder / "server.log").read_text()
    assert said.count("was killed by SIGABRT; another takes its place") == 2
    assert "each worker process was killed by SIGABRT as soon as it served" in said


def test_an_unloaded_model_leaves_the_memory_of_all_workers(folder):
    """No request for the model comes to them any more."""

    def wait_for(count):
        end = time.monotonic() + PATIENCE
        while f"\ntfaas_models_loaded {count}" not in CLIENT.get(url).text:
            assert time.monotonic() < end
            time.sleep(0.05)

    with serving(f"{RUNTIME} --workers 2 --preload linear", folder) as server:
        url = f"{server.url}/metrics"
        wait_for(2.0)
        path = "/v2/repository/models/linear/unload"
        assert CLIENT.post(f"{server.url}{path}").status_code == 200
        wait_for(0.0)


def test_a_worker_that_does_not_end_is_killed(folder):
    """A stopped process hears no signal but SIGKILL."""
    command = f"{RUNTIME} --workers 2 --drain-seconds 1 --log-file log"
    with serving(command, folder) as server:
        stopped, other = server.workers()
        stopped.suspend()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        assert psutil.wait_procs([stopped, other], PATIENCE)[1] == []
    (log,) = folder.glob("log-*")
    assert log.read_text().count("a worker did not end in time, and is killed") == 1
