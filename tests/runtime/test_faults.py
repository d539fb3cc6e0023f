"""A service answers in a known way when its disk, its files or its store fail."""

import multiprocessing
import resource
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from falcon.testing import TestClient

from bundle.spec import ModelSpec
from runtime.http.application import create_app
from runtime.services import create_services
from tests.bundle.making import read_files
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle
from tests.replies import error_of

FORK = multiprocessing.get_context("fork")
ROW = {"keys": [], "values": [1, 2, 3, 4], "model": "linear"}


@pytest.fixture
def upload(client, tmp_path):
    """Return a function that publishes a version with WEIGHTS times a factor."""

    def send(factor=1):
        content = linear_onnx(WEIGHTS * factor)
        bundle = write_bundle(tmp_path / f"bundle{factor}", onnx_bytes=content)
        return client.simulate_post("/upload", body=tar_of(bundle))

    return send


def predict(client):
    return client.simulate_post("/predict/json", json=ROW)


@pytest.mark.slow
def test_an_upload_to_a_full_disk_is_the_servers_fault_and_leaves_nothing(
    client, config, upload
):
    assert upload().status_code == 200
    before = read_files(config.model_dir)
    # The kernel itself refuses, and would do so for ever; so a child process runs this.
    receiver, sender = FORK.Pipe(duplex=False)

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        sender.send(error_of(upload_whole(), 500))

    content = write_bundle(config.model_dir.parent / "new")
    body = tar_of(content)

    def upload_whole():
        return client.simulate_post("/upload", body=body)

    child = FORK.Process(target=fill)
    child.start()
    assert receiver.poll(30)
    assert receiver.recv() == "the store cannot be written: File too large"
    child.join(30)
    assert read_files(config.model_dir) == before
    assert [path.name for path in config.model_dir.iterdir()] == ["linear"]
    assert predict(client).json == [1, 2, 7]


def test_a_store_that_vanishes_has_no_models_and_is_made_again(client, config, upload):
    upload(1)
    upload(2)
    assert predict(client).json == [2, 4, 14]
    shutil.rmtree(config.model_dir)
    error_of(predict(client), 404)
    assert client.simulate_get("/models").json == []
    assert upload(3).json["version"] == 1
    assert predict(client).json == [3, 6, 21]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_for_a_truncated_onnx_the_version_before_answers(client, config, upload, share):
    upload(1)
    upload(2)
    path = config.model_dir / "linear" / "2" / "model.onnx"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    anew = TestClient(create_app(create_services(config), config))
    reply = predict(anew)
    assert reply.json == [1, 2, 7]
    assert reply.headers["X-Model-Version"] == "1"
    # If there is no version before it, the error says so.
    shutil.rmtree(config.model_dir / "linear" / "1")
    anew = TestClient(create_app(create_services(config), config))
    assert "version 2 cannot be loaded" in error_of(predict(anew), 500)


def test_two_uploads_of_a_name_at_once_are_two_whole_versions(client, config, upload):
    together = threading.Barrier(2)

    def send(factor):
        together.wait()
        return upload(factor).json["version"]

    with ThreadPoolExecutor(2) as pool:
        numbers = list(pool.map(send, (1, 2)))
    assert sorted(numbers) == [1, 2]
    for factor, number in zip((1, 2), numbers, strict=True):
        path = f"/predict/json?version={number}"
        reply = client.simulate_post(path, json=ROW)
        assert reply.json == [factor, 2 * factor, 7 * factor]


def test_a_model_deleted_while_it_runs_ends_its_run_and_is_then_gone(
    client, services, upload
):
    upload()
    held = services.registry.get(ModelSpec("linear"))
    assert client.simulate_delete("/delete/linear").status_code == 200
    pixels = np.array([1, 2, 3, 4], np.float32).reshape(1, 2, 2, 1)
    assert held.backend.run({"pixels": pixels})["scores"].tolist() == [[1, 2, 7]]
    error_of(predict(client), 404)
