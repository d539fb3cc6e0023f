"""After a kill -9 in the middle the old version serves, and nothing is half-written."""

import signal
import socket
import subprocess
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import numpy as np

from tests.end_to_end.conftest import (
    CLIENT,
    ENVIRONMENT,
    PATIENCE,
    ROOT,
    WAITRESS,
    run,
    run_python,
    serving,
)
from tests.end_to_end.test_serving import predict, upload

ONE = np.load(ROOT / "trainer" / "data" / "mnist.npz")["x_train"][3]


def shown(folder):
    """Return all files of the store, and the answers of a service started anew."""
    with serving(WAITRESS, folder) as server:
        (model,) = CLIENT.get(f"{server.url}/models").json()
        reply = predict(server.url, ONE)
    assert int(np.argmax(reply.json())) == 1
    names = {path.name for path in (folder / "models").rglob(".*")}
    return model["versions"], names, reply.headers["X-Model-Backend"]


def archive_of(work):
    run("tar cfz mnist.tar.gz mnist", work)
    return (work / "mnist.tar.gz").read_bytes()


# waitress-serve is killed with SIGKILL when the store brings an upload to the disk.
KILLED_SERVER = """
import os, signal, sys
import bundle.publication
def die(folder):
    os.kill(os.getpid(), signal.SIGKILL)
bundle.publication.sync_tree = die
from waitress.runner import run
run(["waitress-serve", "--listen=127.0.0.1:0", "runtime.app:app"])
"""


def test_killed_while_an_upload_is_written(store):
    archive = archive_of(store)
    (store / "killed_server.py").write_text(KILLED_SERVER)
    with serving("python killed_server.py", store) as server:
        try_upload(server.url, archive)
        assert server.process.wait(PATIENCE) == -signal.SIGKILL
    staged = store / "models" / ".staging"
    assert list(staged.glob("*/new/params.json")), "killed in the middle"
    versions, hidden, backend = shown(store)
    assert versions == [1]
    assert hidden == set(), "swept at the start"
    assert backend.startswith("onnxruntime/")


def try_upload(url, archive):
    try:
        upload(url, archive)
    except httpx.HTTPError:
        return


@contextmanager
def half_sent(server, archive):
    """Send half of an upload, and hold the connection open."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        length = f"Content-Length: {len(archive)}"
        head = f"POST /upload HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n"
        client.sendall(head.encode() + archive[: len(archive) // 2])
        yield


def test_killed_while_an_upload_is_sent(store):
    archive = archive_of(store)
    with serving(WAITRESS, store) as server, half_sent(server, archive):
        server.kill()
    assert shown(store)[:2] == ([1], set())


def test_a_client_that_hangs_up_leaves_nothing(store):
    archive = archive_of(store)
    with serving(WAITRESS, store) as server:
        with half_sent(server, archive):
            pass
        assert predict(server.url, ONE).headers["X-Model-Version"] == "1"
    assert shown(store)[:2] == ([1], set())


def test_killed_in_the_middle_of_a_conversion(store):
    """The kill comes when the exporter says that it begins."""
    with subprocess.Popen(
        ["exporter", "convert", "mnist"],
        cwd=store,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "converting models/mnist/1\n"
        process.kill()
    assert shown(store) == ([1], set(), "onnxruntime/CPUExecutionProvider")


# Before its first rename, the exporter copies the folder, because a kill would leave it
# as it is. Instead of its second rename, it kills itself with SIGKILL.
KILLED = """
import os, pathlib, shutil, signal, sys
copy = pathlib.Path(sys.argv.pop(1))
rename = pathlib.Path.replace
def replace(self, target):
    if pathlib.Path(target).name in ("parity.json", "model.onnx"):
        if copy.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        shutil.copytree(".", copy)
    return rename(self, target)
pathlib.Path.replace = replace
from exporter.cli import main
main()
"""


def test_killed_while_a_conversion_is_written(store, tmp_path_factory):
    before = tmp_path_factory.mktemp("before") / "store"
    done = run_python(KILLED, store, str(before), "convert", "mnist")
    assert done.returncode == -signal.SIGKILL, done.stderr

    # Nothing was renamed, so the proved model.onnx of before goes on serving.
    versions, _, backend = shown(before)
    assert (versions, backend) == ([1], "onnxruntime/CPUExecutionProvider")
    # parity.json is new and model.onnx is old, which is no proof, so TensorFlow serves.
    versions, _, backend = shown(store)
    assert (versions, backend) == ([1], "tensorflow/cpu")
    # The next conversion repairs this, and removes the files that the killed ones left.
    run("exporter convert mnist", store)
    assert shown(store) == ([1], set(), "onnxruntime/CPUExecutionProvider")
