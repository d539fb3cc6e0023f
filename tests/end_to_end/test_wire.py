"""TFaaS's wire is tested row by row, under both servers.

The rows are those of the original's recorded replies: the requests of its clients, and
the shape of reply that they read. The original breaks in some rows, or gives an answer
that nobody could use; there the test states the answer of this service.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
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
from tests.examples import serialize, tar_of, write_bundle
from tests.forms import png
from tests.pictures import saved

# The product is done by hand: [1, 2, 3] x this is [1, 4, 5].
ROWS = np.array([[1, 0, 0], [0, 2, 1], [0, 0, 1]], np.float32)

# The number of workers makes no difference here, and each would import TensorFlow.
ONE = f"{RUNTIME} --workers 1"

# TensorFlow is slow to import, so this runs once, in a process of its own.
FROZEN = """
import sys
from pathlib import Path
from tests.frozen import frozen, pixels, write_frozen_bundle
graph = frozen(lambda v1: pixels(v1, channels=3))
write_frozen_bundle(Path(sys.argv[1]), graph, name="classic")
"""


def rows_onnx(weights: np.ndarray = ROWS) -> bytes:
    """Return a model (batch, 3) float32 -> (batch, 3): times the weights."""
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["row", "weights"], ["scores"])],
        "rows",
        [tensor("row", TensorProto.FLOAT, ["batch", 3])],
        [tensor("scores", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return serialize(graph)


def rows_bundle(folder: Path, name: str = "rows", weights: np.ndarray = ROWS) -> Path:
    return write_bundle(
        folder, name=name, onnx_bytes=rows_onnx(weights), params={"img_channels": 0}
    )


class Service:
    """A server, and the folder in which it runs."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    def ask(self, method: str, path: str, **how) -> httpx.Response:
        return CLIENT.request(method, self.url + path, **how)

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def post(self, path: str, **how) -> httpx.Response:
        return self.ask("POST", path, **how)

    def image(self, data: bytes, model: str, path="/predict/image") -> httpx.Response:
        return self.post(path, files={"image": ("x.png", data)}, data={"model": model})

    def row(self, model: str = "rows") -> list[float]:
        body = {"keys": ["a", "b", "c"], "values": [1, 2, 3], "model": model}
        return self.post("/predict/json", json=body).json()


@pytest.fixture(scope="session")
def classic(once) -> Path:
    """Return a folder with a bundle of a frozen graph of TensorFlow 1."""

    def write(folder: Path) -> None:
        done = run_python(FROZEN, folder, str(folder / "classic"))
        assert done.returncode == 0, done.stderr

    return once("classic", write) / "classic"


@pytest.fixture(scope="module", params=[WAITRESS, ONE], ids=["waitress", "runtime"])
def service(request, trained, classic, tmp_path_factory) -> Iterator[Service]:
    """Serve MNIST, a frozen graph, a model of rows, and a model put there by hand."""
    folder = tmp_path_factory.mktemp("wire")
    shutil.copy(trained / "config.json", folder)
    store = folder / "models"
    shutil.copytree(trained / "mnist", store / "mnist" / "1")
    shutil.copytree(classic, store / "classic" / "1")
    rows_bundle(store / "rows" / "1")
    rows_bundle(store / "flat", "flat")
    with serving(request.param, folder) as server:
        yield Service(server.url, folder)


@pytest.fixture(scope="module")
def digit(trained) -> tuple[bytes, int]:
    """Return a PNG of a test image, and the digit that it shows."""
    sample = np.load(trained / "mnist" / "sample.npz")
    return png(sample["images"][0].squeeze()), int(sample["labels"][0])


def sentence(reply: httpx.Response, status: int) -> str:
    """Return a refusal's sentence; its JSON must hold nothing else."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.headers["X-Request-Id"]
    assert list(reply.json()) == ["error"]
    return reply.json()["error"]


# -- predictions ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/predict/image", "/image", "/predict"])
def test_an_image_is_answered_by_an_array_of_probabilities(service, digit, path):
    image, label = digit
    reply = service.image(image, "mnist", path)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json"
    scores = reply.json()
    assert len(scores) == 10
    assert int(np.argmax(scores)) == label
    assert abs(sum(scores) - 1) < 1e-5
    assert min(scores) > 0, "not saturated, as the original's are"


@pytest.mark.parametrize("path", ["/predict/json", "/json", "/predict"])
def test_a_row_in_json_is_answered_by_an_array(service, path):
    body = {"keys": ["a", "b", "c"], "values": [1, 2, 3], "model": "rows"}
    reply = service.post(path, json=body)
    assert (reply.status_code, reply.json()) == (200, [1.0, 4.0, 5.0])
    assert reply.headers["Content-Type"] == "application/json"


def test_json_is_taken_as_curl_d_sends_it(service):
    body = '{"keys":["a","b","c"],"values":[1,2,3],"model":"rows"}'
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = service.post("/predict/json", content=body, headers=headers)
    assert reply.json() == [1.0, 4.0, 5.0]


@pytest.mark.parametrize("path", ["/predict/proto", "/proto", "/predict"])
def test_a_row_in_protobuf_is_answered_by_predictions(service, path):
    """The bytes are made by hand: a tag is 8 * field + type; type 2 has a length."""
    values = struct.pack("<3f", 1, 2, 3)
    row = b"".join(b"\x0a\x01" + key for key in (b"a", b"b", b"c"))
    row += b"\x12\x0c" + values + b"\x1a\x04rows"
    headers = {"Content-Type": "application/x-protobuf"}
    reply = service.post(path, content=row, headers=headers)
    # The message is: Predictions {Class {label=1 "zero", probability=2 1.0}} …
    expected = b""
    for label, score in ((b"zero", 1.0), (b"one", 4.0), (b"two", 5.0)):
        one = b"\x0a" + bytes([len(label)]) + label + b"\x15" + struct.pack("<f", score)
        expected += b"\x0a" + bytes([len(one)]) + one
    assert (reply.status_code, reply.content) == (200, expected)
    assert reply.headers["Content-Type"] == "application/x-protobuf"


# The graph's first four values are 10, 20, 30 and 40; two of them feed the third class.
PIXELS = np.zeros((2, 2, 3), np.uint8)
PIXELS.reshape(-1)[:4] = 10, 20, 30, 40
BEST = [("two", 70.0), ("one", 20.0), ("zero", 10.0)]


def test_a_frozen_graph_answers_its_best_labels(service):
    reply = service.image(png(PIXELS), "classic")
    labels = [{"label": label, "probability": score} for label, score in BEST]
    assert reply.json() == {"filename": "x.png", "labels": labels}
    assert reply.headers["X-Model-Backend"] == "tensorflow/cpu"


# A conversion takes long, and the kind of server makes no difference, so one kind is
# enough.
@pytest.mark.parametrize("service", [WAITRESS], indirect=True, ids=["waitress"])
def test_a_frozen_graph_that_was_converted_answers_so_from_onnx(service):
    """The service does not start anew, and answers as TensorFlow did before."""
    reply = service.image(png(PIXELS), "classic")
    assert reply.headers["X-Model-Backend"] == "tensorflow/cpu"
    output = run("exporter convert classic", service.folder)
    assert "wrote models/classic/1/model.onnx" in output
    reply = service.image(png(PIXELS), "classic")
    answered = [(best["label"], best["probability"]) for best in reply.json()["labels"]]
    assert answered == BEST
    assert reply.headers["X-Model-Backend"] == "onnxruntime/CPUExecutionProvider"


# These are a 1 of the data set as people have it: larger, coloured, turned, deeper.
def pictures_of_a_one() -> dict[str, bytes]:
    pixels = np.load(ROOT / "trainer" / "data" / "mnist.npz")["x_train"][3]
    one = Image.fromarray(pixels)
    large = one.resize((280, 280), Image.Resampling.BICUBIC)
    clear = Image.new("RGBA", one.size, (255, 255, 255, 0))
    clear.paste(Image.new("RGBA", one.size, (255, 255, 255, 255)), mask=one)
    exif = Image.Exif()
    exif[0x0112] = 6  # means "turn me 90 degrees clockwise"
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    return {
        "large": saved(large),
        "jpeg": saved(large, "JPEG", quality=90),
        "colour": saved(large.convert("RGB")),
        "transparent": saved(clear),
        "turned": saved(large.transpose(Image.Transpose.ROTATE_90), exif=exif),
        "16 bits": saved(deep),
        "palette": saved(large.convert("P")),
    }


def test_photos_of_any_size_and_mode_are_answered(service):
    for name, data in pictures_of_a_one().items():
        # The file's name is wrong: the service tells the format from the bytes.
        files = {"image": ("picture.txt", data)}
        reply = service.post("/predict/image", files=files, data={"model": "mnist"})
        assert reply.json()[1] > 0.8, name


def test_any_model_answers_so_on_request(service, digit):
    image, label = digit
    kind = "application/vnd.tfaas.labels+json"
    reply = service.post(
        "/predict/image",
        files={"image": ("x.png", image)},
        data={"model": "mnist"},
        headers={"Accept": kind},
    )
    assert reply.headers["Content-Type"] == kind
    assert len(reply.json()["labels"]) == 5
    assert reply.json()["labels"][0]["label"] == str(label)


# -- the store ------------------------------------------------------------------------


def test_models_is_an_array_of_params_with_a_timestamp(service):
    reply = service.get("/models")
    assert reply.headers["Content-Type"] == "application/json"
    models = {model["name"]: model for model in reply.json()}
    assert {"mnist", "rows", "classic"} <= set(models)
    stored = json.loads((service.folder / "models/mnist/1/params.json").read_text())
    assert models["mnist"].items() >= stored.items()
    assert all(model["timestamp"] for model in models.values())


def test_a_flat_bundle_put_by_hand_is_version_0(service):
    body = {"keys": [], "values": [1, 2, 3], "model": "flat"}
    reply = service.post("/json", json=body)
    assert reply.json() == [1.0, 4.0, 5.0]
    assert reply.headers["X-Model-Version"] == "0"


def test_params_are_answered_as_they_are_stored(service):
    stored = json.loads((service.folder / "models/mnist/1/params.json").read_text())
    assert service.get("/params/mnist").json() == stored


def test_params_of_an_unknown_model(service):
    assert "'nosuch'" in sentence(service.get("/params/nosuch"), 404)


def test_status_has_what_the_original_s_has(service):
    status = service.get("/status").json()
    assert all(isinstance(share, int | float) for share in status["CPU"])
    assert set(status["Load"]) == {"load1", "load5", "load15"}
    kinds = {"total", "free", "used", "usedPercent"}
    assert set(status["Memory"]) == {"Virtual", "Swap"}
    assert all(set(memory) == kinds for memory in status["Memory"].values())
    for key in ("NGo", "getRequests", "postRequests"):
        assert isinstance(status[key], int)
    assert status["Uptime"] > 0


def test_status_counts_requests(service):
    before = after = service.get("/status").json()
    service.row()
    # Another process may have answered; it adds up its answers every quarter of a
    # second.
    end = time.monotonic() + PATIENCE
    kinds = ("postRequests", "getRequests")
    while (
        not all(after[kind] > before[kind] for kind in kinds) and time.monotonic() < end
    ):
        after = service.get("/status").json()
    assert all(after[kind] > before[kind] for kind in kinds)


@pytest.mark.parametrize("encoding", ["gzip", None])
def test_a_tar_is_uploaded(service, tmp_path, encoding):
    """``tar cfz`` is sent with Content-Encoding gzip, and ``tar cf`` without."""
    name = f"tar_{encoding}"
    bundle = rows_bundle(tmp_path / name, name)
    archive = tar_of(bundle, name, "w:gz" if encoding else "w")
    headers = {"Content-Type": "application/octet-stream"}
    if encoding:
        headers["Content-Encoding"] = encoding
    reply = service.post("/upload", content=archive, headers=headers)
    assert reply.status_code == 200, reply.text
    published = reply.json()
    assert (published["name"], published["version"]) == (name, 1)
    assert published["backend"] == "onnxruntime/CPUExecutionProvider"
    assert service.row(name) == [1.0, 4.0, 5.0]


def test_a_chunked_upload_is_taken(service, tmp_path):
    """``curl -T -`` sends it, and does not know the length before the end."""
    rows_bundle(tmp_path / "chunked", "chunked")
    reply = run(
        "tar cz chunked | curl -sS -X POST -H 'Content-Encoding: gzip'"
        f" -H 'Expect: 100-continue' -T - {service.url}/upload",
        tmp_path,
    )
    assert json.loads(reply)["version"] == 1
    assert service.row("chunked") == [1.0, 4.0, 5.0]


def frozen_form(folder: Path, name: str) -> dict[str, tuple[str, bytes]]:
    """Return the files of the original's form, for the frozen graph in the store."""
    bundle = folder / "models" / "classic" / "1"
    params = json.loads((bundle / "params.json").read_text())
    model = (bundle / params["model"]).read_bytes()
    labels = (bundle / params["labels"]).read_bytes()
    params["name"] = name
    return {
        "params": ("params.json", json.dumps(params).encode()),
        "model": (params["model"], model),
        "labels": (params["labels"], labels),
    }


@pytest.mark.parametrize("op", [True, False])
def test_a_form_is_uploaded_with_op_and_without(service, op):
    name = f"form_{op}"
    files = frozen_form(service.folder, name)
    if op:
        files["op"] = ("model.op", b"op")
    reply = service.post("/upload", data={"name": name}, files=files)
    assert reply.status_code == 200, reply.text
    assert (reply.json()["name"], reply.json()["version"]) == (name, 1)
    # The environment of these servers switches the conversion of uploads off.
    state = service.get(f"/models/{name}/1").json()["conversion"]
    assert state == "tensorflow: there is no model.onnx; make it with: exporter convert"
    assert "converting" not in (service.folder / "server.log").read_text()
    assert "labels" in service.image(png(np.zeros((2, 2, 3), np.uint8)), name).json()


def test_a_form_s_model_may_be_base64(service):
    files = frozen_form(service.folder, "base64")
    name, model = files["model"]
    files["model"] = (name, base64.encodebytes(model))
    reply = service.post(
        "/upload",
        data={"name": "base64"},
        files=files,
        headers={"Content-Encoding": "base64"},
    )
    assert reply.status_code == 200, reply.text
    stored = service.folder / "models" / "base64" / "1" / name
    assert stored.read_bytes() == model


def test_a_model_is_deleted_by_field_and_by_path(service, tmp_path):
    for how in ("field", "path"):
        bundle = rows_bundle(tmp_path / how, how)
        assert service.post("/upload", content=tar_of(bundle, how)).status_code == 200
        if how == "field":
            reply = service.ask("DELETE", "/delete", files={"model": (None, how)})
        else:
            reply = service.ask("DELETE", f"/delete/{how}")
        assert reply.status_code == 200
        assert how not in [model["name"] for model in service.get("/models").json()]


def test_an_unknown_model_cannot_be_deleted(service):
    assert "'nosuch'" in sentence(service.ask("DELETE", "/delete/nosuch"), 404)


def test_a_delete_without_a_name(service):
    reply = service.ask("DELETE", "/delete")
    assert sentence(reply, 400).startswith("no model name is provided")


# -- refusals -------------------------------------------------------------------------


def test_an_unknown_route_and_a_wrong_method(service):
    assert "no such route" in sentence(service.get("/nosuch"), 404)
    wrong = service.get("/predict/image")
    assert "POST" in sentence(wrong, 405)
    assert "POST" in wrong.headers["Allow"]


def test_what_is_no_image(service):
    reply = service.image(b"no image at all", "mnist")
    assert sentence(reply, 400).startswith("Invalid image")


def test_an_unknown_model(service, digit):
    assert "'nosuch'" in sentence(service.image(digit[0], "nosuch"), 404)
    row = {"keys": [], "values": [1], "model": "nosuch"}
    assert "'nosuch'" in sentence(service.post("/json", json=row), 404)


def test_a_missing_field_is_named(service, digit):
    files = {"image": ("x.png", digit[0])}
    assert "'model'" in sentence(service.post("/image", files=files), 400)
    no_image = {"model": (None, "mnist")}
    assert "'image'" in sentence(service.post("/image", files=no_image), 400)
    no_model = {"keys": [], "values": [1]}
    assert "'model'" in sentence(service.post("/json", json=no_model), 400)


def test_a_wrong_number_of_values_names_expected_and_got(service):
    row = {"keys": ["a", "b"], "values": [1, 2], "model": "rows"}
    said = sentence(service.post("/json", json=row), 400)
    assert "3" in said
    assert "2" in said


def test_a_row_for_a_model_of_images_of_a_wrong_size(service):
    row = {"keys": [], "values": [0] * 783, "model": "mnist"}
    said = sentence(service.post("/json", json=row), 400)
    assert "784" in said
    assert "783" in said


@pytest.mark.parametrize("command", [WAITRESS, ONE], ids=["waitress", "runtime"])
def test_over_the_rate(tmp_path, command):
    (tmp_path / "config.json").write_text(json.dumps({"rate": "2-H"}))
    with serving(command, tmp_path) as server:
        replies = [CLIENT.get(f"{server.url}/models") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    for reply, left in zip(replies, ("1", "0", "0"), strict=True):
        assert reply.headers["X-Ratelimit-Limit"] == "2"
        assert reply.headers["X-Ratelimit-Remaining"] == left
        assert int(reply.headers["X-Ratelimit-Reset"]) > 0
    assert sentence(replies[2], 429).startswith("Limit exceeded")
    assert 0 < int(replies[2].headers["Retry-After"]) <= 3600


# -- what the original gets wrong ------------------------------------------------------


def test_no_route_reads_any_file(service):
    assert service.get("/data?model=/etc/hostname").status_code == 404


def test_a_tar_cannot_write_outside_its_folder(service):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        evil = tarfile.TarInfo("evil/../../evil.txt")
        evil.size = 4
        tar.addfile(evil, io.BytesIO(b"evil"))
    assert ".." in sentence(service.post("/upload", content=target.getvalue()), 400)
    assert not list(service.folder.rglob("evil*"))


def test_a_form_cannot_name_another_folder(service):
    files = frozen_form(service.folder, "../evil")
    reply = service.post("/upload", data={"name": "../evil"}, files=files)
    assert reply.status_code in (400, 422)
    assert not list(service.folder.rglob("evil*"))
    assert not (service.folder.parent / "evil").exists()


def test_a_name_used_again_serves_the_new_weights(service, tmp_path):
    first = tar_of(rows_bundle(tmp_path / "first", "again"), "again")
    second = tar_of(rows_bundle(tmp_path / "second", "again", 2 * ROWS), "again")
    assert service.post("/upload", content=first).status_code == 200
    assert service.row("again") == [1.0, 4.0, 5.0]
    assert service.ask("DELETE", "/delete/again").status_code == 200
    assert service.post("/upload", content=second).json()["version"] == 1
    assert service.row("again") == [2.0, 8.0, 10.0]


def test_a_failed_form_leaves_nothing(service):
    files = frozen_form(service.folder, "half")
    del files["params"]
    reply = service.post("/upload", data={"name": "half"}, files=files)
    assert "params" in sentence(reply, 422)
    assert not (service.folder / "models" / "half").exists()
    assert service.get("/models").status_code == 200


def test_a_form_carries_variables(service, trained):
    """The form has a SavedModel of TensorFlow 2, which the original cannot take."""
    bundle = trained / "mnist"
    params = json.loads((bundle / "params.json").read_text())
    params["name"] = "formed"
    files = [
        ("params", ("params.json", json.dumps(params).encode())),
        ("model", ("saved_model.pb", (bundle / "saved_model.pb").read_bytes())),
        ("labels", ("labels.txt", (bundle / "labels.txt").read_bytes())),
    ]
    files += [
        ("variables", (path.name, path.read_bytes()))
        for path in sorted((bundle / "variables").iterdir())
    ]
    reply = service.post("/upload", data={"name": "formed"}, files=files)
    assert reply.status_code == 200, reply.text
    assert reply.json()["backend"] == "tensorflow/cpu"


def test_a_row_is_fed_to_whatever_names_a_model_has(service):
    """The original hard-codes its operations' names; MNIST has Keras's names."""
    row = {"keys": [], "values": [0] * 784, "model": "mnist"}
    assert len(service.post("/json", json=row).json()) == 10


def test_no_sentence_names_a_folder_of_the_server(service, digit):
    replies = [
        service.image(b"no image", "mnist"),
        service.image(digit[0], "nosuch"),
        service.image(digit[0], "../../etc"),
        service.get("/params/nosuch"),
        service.get("/models/mnist/99"),
        service.post("/upload", content=b"no tar"),
        service.post("/json", content=b"{"),
        service.post("/proto", content=b"\xff\xff"),
    ]
    for reply in replies:
        assert 400 <= reply.status_code < 500
        for secret in (str(service.folder), "Traceback", str(ROOT)):
            assert secret not in reply.text


@pytest.mark.parametrize("command", [WAITRESS, ONE], ids=["waitress", "runtime"])
def test_every_route_moves_under_base(tmp_path, command):
    (tmp_path / "config.json").write_text(json.dumps({"base": "/ml/tfaas"}))
    rows_bundle(tmp_path / "models" / "rows" / "1")
    with serving(command, tmp_path) as server:
        row = {"keys": [], "values": [1, 2, 3], "model": "rows"}
        for path in ("/predict/json", "/json"):
            reply = CLIENT.post(f"{server.url}/ml/tfaas{path}", json=row)
            assert reply.json() == [1.0, 4.0, 5.0]
            assert CLIENT.post(server.url + path, json=row).status_code == 404
        for path in ("/models", "/status", "/params/rows", "/metrics", "/readyz"):
            assert CLIENT.get(f"{server.url}/ml/tfaas{path}").status_code == 200
