"""Real servers serve real stores."""

import contextlib
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.end_to_end.conftest import (
    CLIENT,
    ROOT,
    RUNTIME,
    WAITRESS,
    log_with,
    run,
    run_python,
    serving,
)
from tests.forms import png


@pytest.fixture(scope="session")
def mnist():
    return np.load(ROOT / "trainer" / "data" / "mnist.npz")


def predict(url, image, model="mnist"):
    return CLIENT.post(
        f"{url}/predict/image",
        files={"image": ("x.png", png(image))},
        data={"model": model},
    )


def upload(url, archive):
    return CLIENT.post(
        f"{url}/upload",
        content=archive,
        headers={"Content-Encoding": "gzip"},
    )


def test_serving_from_onnx_imports_no_tensorflow(store, mnist):
    """A fresh process gets an upload and a prediction."""
    (store / "one.png").write_bytes(png(mnist["x_train"][3]))
    run("tar cfz mnist.tar.gz mnist", store)
    script = """
import sys
from tests.clients import LocalClient
from runtime.app import app
from tests.forms import form
client = LocalClient(app)
reply = client.simulate_post("/upload", body=open("mnist.tar.gz", "rb").read())
assert reply.json["backend"].startswith("onnxruntime/"), reply.text
body, headers = form(image=open("one.png", "rb").read(), model="mnist")
reply = client.simulate_post("/predict/image", body=body, headers=headers)
assert reply.json[1] > 0.9, reply.text
heavy = {"tensorflow", "keras", "tf2onnx", "onnx", "trainer", "exporter"}
print(sorted(heavy & set(sys.modules)))
"""
    done = run_python(script, store)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.tensorflow
def test_a_thousand_images_over_http_are_as_right_as_keras_itself(store, mnist):
    import keras

    images, labels = mnist["x_test"][:1000], mnist["y_test"][:1000]
    model = keras.saving.load_model(store / "mnist" / "model.keras")
    scores = model.predict(images[..., np.newaxis], verbose=0)
    expected = int((scores.argmax(axis=1) == labels).sum())

    with serving(WAITRESS, store) as server, ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda image: predict(server.url, image).json(), images)
        over_http = np.array(list(answers))
    right = int((over_http.argmax(axis=1) == labels).sum())
    assert right >= 965
    assert right == expected
    np.testing.assert_allclose(over_http, scores, atol=1e-4)


def test_a_crash_of_tensorflow_costs_time_alone(store, mnist):
    """TensorFlow runs in processes of its own; no worker contains it."""
    (store / "models" / "mnist" / "1" / "model.onnx").unlink()
    image = mnist["x_train"][3]

    def ask(_):
        reply = predict(server.url, image)
        assert reply.headers.get("X-Model-Backend") == "tensorflow/cpu", reply.text
        return reply.json()

    with (
        serving(f"{RUNTIME} --workers 1", store) as server,
        ThreadPoolExecutor(4) as pool,
    ):
        first = ask(0)
        (worker,) = server.workers()
        for _ in range(2):
            answers = pool.map(ask, range(40))
            # These processes answer some of the requests at this moment.
            for process in worker.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if not process.children() and process.num_threads() > 1:
                        process.send_signal(signal.SIGSEGV)
            assert all(np.allclose(answer, first, atol=1e-6) for answer in answers)
        log_with(store, "TensorFlow's process was ended by SIGSEGV")
        mapped = {Path(m.path).name for m in worker.memory_maps()}
    assert not [name for name in mapped if "tensorflow" in name]


def test_a_wrong_config_is_one_sentence_under_both_servers(tmp_path):
    (tmp_path / "config.json").write_text('{"thread": 4}')
    for command, code in ((WAITRESS, 1), (RUNTIME, 2)):
        output = run(command, tmp_path, code=code)
        assert "unknown key 'thread', did you mean 'threads'?" in output
        assert "Traceback" not in output


def test_wrong_addresses_are_sentences(tmp_path):
    for flags, sentence in (
        ("--host nohost.invalid", "no address 'nohost.invalid'"),
        ("--models-dir /dev/null", "'modelDir' is /dev/null, which is not a folder"),
    ):
        output = run(f"runtime serve --port 0 {flags}", tmp_path, code=2)
        assert sentence in output
        assert "Traceback" not in output
