"""kill -9 in the middle: the old version serves, and nothing half-written is seen."""

import os
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from tests.end_to_end.conftest import (
    ENVIRONMENT,
    PATIENCE,
    ROOT,
    WAITRESS,
    run,
    serving,
)
from tests.end_to_end.test_serving import predict, upload

ONE = np.load(ROOT / "trainer" / "data" / "mnist.npz")["x_train"][3]


def shown(folder):
    """What there is in the store: every file, and what a restarted service says."""
    with serving(WAITRESS, folder) as server:
        (model,) = httpx.get(f"{server.url}/models").json()
        reply = predict(server.url, ONE)
    assert int(np.argmax(reply.json())) == 1
    names = {path.name for path in (folder / "models").rglob(".*")}
    return model["versions"], names, reply.headers["X-Model-Backend"]


def archive_of(work):
    run("tar cfz mnist.tar.gz mnist", work)
    return (work / "mnist.tar.gz").read_bytes()


def test_killed_while_an_upload_is_written(store):
    """The server is killed the moment that a file shows in its staging folder."""
    # Large enough that unpacking, checking and syncing outlast the look at the disk.
    (store / "mnist" / "ballast").write_bytes(os.urandom(60_000_000))
    archive = archive_of(store)
    (store / "mnist" / "ballast").unlink()
    staging = store / "models" / ".staging"
    with serving(WAITRESS, store) as server:
        sender = threading.Thread(target=try_upload, args=(server.url, archive))
        sender.start()
        while not list(staging.glob("*/new/*")):
            assert sender.is_alive(), "the upload ended before it was seen"
        server.kill()
        sender.join(PATIENCE)
    assert list(staging.glob("*/new/*")), "killed in the middle"
    versions, hidden, backend = shown(store)
    assert versions == [1]
    assert hidden == set(), "swept at the start"
    assert backend.startswith("onnxruntime/")


def try_upload(url, archive):
    try:
        upload(url, archive)
    except httpx.HTTPError:
        return


def test_killed_while_an_upload_is_sent(store):
    archive = archive_of(store)
    with serving(WAITRESS, store) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port)) as client:
            head = f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(archive)}"
            client.sendall(head.encode() + b"\r\n\r\n" + archive[: len(archive) // 2])
            server.kill()
    assert shown(store)[:2] == ([1], set())


def test_a_client_that_hangs_up_leaves_nothing(store):
    archive = archive_of(store)
    with serving(WAITRESS, store) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port)) as client:
            head = f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(archive)}"
            client.sendall(head.encode() + b"\r\n\r\n" + archive[: len(archive) // 2])
        assert predict(server.url, ONE).headers["X-Model-Version"] == "1"
    assert shown(store)[:2] == ([1], set())


# Ends the exporter with SIGKILL instead of its nth rename.
KILLED = """
import os, pathlib, signal, sys
left = int(sys.argv.pop(1))
rename = pathlib.Path.replace
def replace(self, target):
    global left
    left -= 1
    if left < 0 and pathlib.Path(target).name in ("parity.json", "model.onnx"):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
pathlib.Path.replace = replace
from exporter.cli import main
main()
"""


@pytest.mark.parametrize(
    ("renames", "engine"),
    [
        # Nothing was renamed: the proved model.onnx of before serves on.
        (0, "onnxruntime/CPUExecutionProvider"),
        # parity.json is new and model.onnx old: unproved, so TensorFlow serves.
        (1, "tensorflow/cpu"),
    ],
)
def test_killed_while_a_conversion_is_written(store, renames, engine):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(renames), "convert", "mnist"],
        cwd=store,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    versions, _, backend = shown(store)
    assert (versions, backend) == ([1], engine)
    # And the next conversion mends it, and takes away what the killed one left.
    run("exporter convert mnist", store)
    assert shown(store) == ([1], set(), "onnxruntime/CPUExecutionProvider")
