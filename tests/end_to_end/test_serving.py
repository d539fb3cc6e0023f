"""Real servers over real stores."""

import contextlib
import io
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.end_to_end.conftest import (
    CLIENT,
    PATIENCE,
    ROOT,
    RUNTIME,
    WAITRESS,
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
    """In a fresh process, over an upload and a prediction."""
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


@pytest.mark.parametrize("command", [WAITRESS, RUNTIME])
def test_every_process_serves_the_new_version_on_its_next_request(
    store, mnist, command
):
    run("tar cfz mnist.tar.gz mnist", store)
    archive = (store / "mnist.tar.gz").read_bytes()
    image = mnist["x_train"][3]
    with serving(command, store) as first, serving(command, store) as second:
        for server in (first, second):
            assert predict(server.url, image).headers["X-Model-Version"] == "1"
        assert upload(first.url, archive).json()["version"] == 2
        for server in (second, first):
            assert predict(server.url, image).headers["X-Model-Version"] == "2"


def test_onnx_that_the_exporter_adds_serves_without_a_restart(store, mnist):
    version = store / "models" / "mnist" / "1"
    for name in ("model.onnx", "parity.json"):
        (version / name).unlink()
    image = mnist["x_train"][3]
    with serving(WAITRESS, store) as server:
        slow = predict(server.url, image)
        assert slow.headers["X-Model-Backend"] == "tensorflow/cpu"
        assert "wrote models/mnist/1/model.onnx" in run("exporter convert mnist", store)
        quick = predict(server.url, image)
        assert quick.headers["X-Model-Backend"].startswith("onnxruntime/")
    np.testing.assert_allclose(quick.json(), slow.json(), atol=1e-4)


def test_a_crash_of_tensorflow_costs_time_alone(store, mnist):
    """It lives in processes of its own; a worker has none of it."""
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
            # Some of them are being answered at this moment.
            for process in worker.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if not process.children() and process.num_threads() > 1:
                        process.send_signal(signal.SIGSEGV)
            assert all(np.allclose(answer, first, atol=1e-6) for answer in answers)
        assert "TensorFlow's process was ended by SIGSEGV" in (
            (store / "server.log").read_text()
        )
        mapped = {Path(m.path).name for m in worker.memory_maps()}
    assert not [name for name in mapped if "tensorflow" in name]


def test_a_flat_bundle_put_by_hand_is_version_0(store, mnist):
    shutil.rmtree(store / "models" / "mnist")
    shutil.copytree(store / "mnist", store / "models" / "mnist")
    with serving(WAITRESS, store) as server:
        reply = predict(server.url, mnist["x_train"][2])
        assert reply.headers["X-Model-Version"] == "0"
        assert int(np.argmax(reply.json())) == 4


@pytest.mark.parametrize("command", [WAITRESS, RUNTIME])
def test_a_chunked_upload_is_taken(store, command):
    """As ``curl -T -`` sends it: nobody knows the length before the end."""
    run("tar cfz mnist.tar.gz mnist", store)
    with serving(command, store) as server:
        reply = run(
            "curl -sS -X POST -H 'Content-Encoding: gzip'"
            f" -H 'Expect: 100-continue' -T - {server.url}/upload < mnist.tar.gz",
            store,
        )
    assert '"version":2' in reply


def test_photos_of_any_size_and_mode_are_answered(store, mnist):
    """A 1 of the data set, as people have it: larger, coloured, turned, deeper."""
    one = Image.fromarray(mnist["x_train"][3])
    large = one.resize((280, 280), Image.Resampling.BICUBIC)
    clear = Image.new("RGBA", one.size, (255, 255, 255, 0))
    clear.paste(Image.new("RGBA", one.size, (255, 255, 255, 255)), mask=one)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me 90 degrees clockwise"
    deep = Image.fromarray(mnist["x_train"][3].astype(np.uint16) * 257)

    def saved(image, kind="PNG", **options):
        target = io.BytesIO()
        image.save(target, kind, **options)
        return target.getvalue()

    pictures = {
        "large": saved(large),
        "jpeg": saved(large, "JPEG", quality=90),
        "colour": saved(large.convert("RGB")),
        "transparent": saved(clear),
        "turned": saved(large.transpose(Image.Transpose.ROTATE_90), exif=exif),
        "16 bits": saved(deep),
        "palette": saved(large.convert("P")),
    }
    with serving(WAITRESS, store) as server:
        for name, data in pictures.items():
            reply = CLIENT.post(
                f"{server.url}/predict/image",
                # The name lies: the format is told from the bytes.
                files={"image": ("picture.txt", data)},
                data={"model": "mnist"},
            )
            assert reply.json()[1] > 0.8, name


def test_a_wrong_config_is_one_sentence_under_both_servers(tmp_path):
    (tmp_path / "config.json").write_text('{"thread": 4}')
    for command, code in ((WAITRESS, 1), (RUNTIME, 2)):
        output = run(command, tmp_path, code=code)
        assert "unknown key 'thread', did you mean 'threads'?" in output
        assert "Traceback" not in output


def test_a_terminated_server_answers_what_it_holds_and_ends_well(store, mnist):
    with serving(RUNTIME, store) as server:
        assert predict(server.url, mnist["x_train"][3]).status_code == 200
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


def test_wrong_addresses_are_sentences(tmp_path):
    for flags, sentence in (
        ("--host nohost.invalid", "no address 'nohost.invalid'"),
        ("--models-dir /dev/null", "'modelDir' is /dev/null, which is not a folder"),
    ):
        output = run(f"runtime serve --port 0 {flags}", tmp_path, code=2)
        assert sentence in output
        assert "Traceback" not in output
