"""POST /upload takes a bundle as TFaaS's clients and curl send it."""

import base64
import io
import json
import shutil
from pathlib import Path

import falcon
import numpy as np
import pytest
from falcon.testing import create_environ

from tests.bundle.making import read_files
from tests.clients import HERE
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle
from tests.forms import BOUNDARY, File, form, png
from tests.frozen import FILE, frozen, pixels
from tests.replies import error_of

CPU = "onnxruntime/CPUExecutionProvider"
OCTETS = "application/octet-stream"


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "upload", proved=False)


def files_of(bundle):
    """Return the bundle as a form of TFaaS, with an ONNX model."""
    return {
        "name": "linear",
        "params": File("params.json", (bundle / "params.json").read_bytes()),
        "model": File("model.onnx", (bundle / "model.onnx").read_bytes()),
        "labels": File("labels.txt", (bundle / "labels.txt").read_bytes()),
    }


def post(client, fields, **headers):
    body, content_type = form(**fields)
    return client.simulate_post(
        "/upload", body=body, headers={**content_type, **headers}
    )


def predict(client):
    body, headers = form(image=png([[10, 20], [30, 40]]), model="linear")
    return client.simulate_post("/predict/image", body=body, headers=headers).json


def test_a_form_becomes_a_version(client, bundle):
    reply = post(client, files_of(bundle))
    assert reply.status == falcon.HTTP_200
    assert reply.json == {
        "name": "linear",
        "version": 1,
        "backend": CPU,
        "fallback_reason": "",
        "warm_up": "",
        "serves": 1,
    }
    assert predict(client) == [10, 20, 70]


def test_a_form_may_carry_op(client, config, bundle):
    op = File("model.graph", b"ops")
    assert post(client, {**files_of(bundle), "op": op}).json["version"] == 1
    published = config.model_dir / "linear" / "1"
    assert (published / "model.graph").read_bytes() == b"ops"
    assert json.loads((published / "params.json").read_bytes())["op"] == "model.graph"


def test_a_form_may_carry_weights(client, config, bundle):
    """TFaaS's form cannot, and a model that it publishes so cannot be loaded."""
    fields = files_of(bundle)
    onnx = fields["model"]
    fields |= {
        "model": File("saved_model.pb", b"\x08\x01"),
        "onnx": onnx,
        "variables": [
            File("variables.index", b"index"),
            File("variables.data-00000-of-00001", b"weights"),
        ],
    }
    assert post(client, fields).json["backend"] == CPU
    published = config.model_dir / "linear" / "1" / "variables"
    assert read_files(published) == {
        "variables.index": b"index",
        "variables.data-00000-of-00001": b"weights",
    }


def test_labels_are_optional(client, bundle):
    fields = files_of(bundle)
    del fields["labels"]
    fields["params"] = File("params.json", b'{"name": "linear", "img_channels": 1}')
    assert post(client, fields).json["version"] == 1


@pytest.mark.parametrize("field", ["file", "model"])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_form_of_one_archive_is_a_bundle(client, bundle, field, mode):
    archive = File("linear.tar", tar_of(bundle, mode=mode))
    assert post(client, {field: archive}).json["version"] == 1


@pytest.mark.parametrize("spelling", ["base64", "Base64"])
def test_a_model_in_base64_is_taken(client, config, bundle, spelling):
    fields = files_of(bundle)
    text = base64.encodebytes(fields["model"].data)
    fields["model"] = File("model.onnx", text)
    reply = post(client, fields, **{"Content-Encoding": spelling})
    assert reply.json["version"] == 1
    published = config.model_dir / "linear" / "1"
    assert (published / "model.onnx").read_bytes() == linear_onnx()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_in_base64_is_taken(client, bundle, mode):
    reply = client.simulate_post(
        "/upload",
        body=base64.encodebytes(tar_of(bundle, mode=mode)),
        headers={"Content-Encoding": "base64", "Content-Type": OCTETS},
    )
    assert reply.json["version"] == 1


@pytest.mark.parametrize("spelling", ["gzip", "x-gzip", "X-GZIP", " gzip "])
def test_gzip_has_an_old_name(client, bundle, spelling):
    """RFC 9110, 8.4.1.3, says that x-gzip means gzip."""
    headers = {"Content-Encoding": spelling}
    reply = client.simulate_post(
        "/upload", body=tar_of(bundle, mode="w:gz"), headers=headers
    )
    assert reply.json["version"] == 1
    reply = client.simulate_post(
        "/upload", body=tar_of(bundle, mode="w"), headers=headers
    )
    assert "is not gzipped" in error_of(reply, 400)


@pytest.mark.parametrize(
    "kind", ["application/zip", "application/x-zip-compressed", OCTETS, None]
)
def test_a_zip_is_taken(client, bundle, tmp_path, kind):
    archive = shutil.make_archive(
        str(tmp_path / "z"), "zip", bundle.parent, bundle.name
    )
    headers = {"Content-Type": kind} if kind else {}
    reply = client.simulate_post(
        "/upload", body=Path(archive).read_bytes(), headers=headers
    )
    assert (reply.json["name"], reply.json["version"]) == ("linear", 1)


def test_what_curl_calls_a_body_of_its_own_accord_is_taken(client, bundle):
    """curl --data-binary without -H sends this content type."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = client.simulate_post("/upload", body=tar_of(bundle), headers=headers)
    assert reply.json["version"] == 1


def test_a_form_of_unknown_length_is_read_to_its_end(client, bundle):
    """A server may give a chunked form so: without Content-Length."""
    body, headers = form(**files_of(bundle))
    environ = create_environ("/upload", method="POST", headers=headers, **HERE)
    environ.pop("CONTENT_LENGTH", None)
    environ["wsgi.input"] = io.BytesIO(body)
    started = []
    reply = client.app(environ, lambda status, headers: started.append(status))
    assert started == [falcon.HTTP_200]
    assert json.loads(b"".join(reply))["version"] == 1


class Drops(io.BytesIO):
    """A server's stream that gives fewer bytes than are asked for, and never ends."""

    def read(self, size=-1):
        assert size != 0
        return super().read(min(size, 7)) or b"the next request"


@pytest.mark.parametrize("kind", ["form", "tar"])
def test_a_body_that_comes_in_drops_is_read_to_its_length(client, bundle, kind):
    body, headers = form(**files_of(bundle)) if kind == "form" else (tar_of(bundle), {})
    headers["Content-Length"] = str(len(body))
    environ = create_environ("/upload", method="POST", headers=headers, **HERE)
    environ["wsgi.input"] = Drops(body)
    started = []
    reply = client.app(environ, lambda status, headers: started.append(status))
    assert started == [falcon.HTTP_200], b"".join(reply)


def test_a_version_beside_a_stable_one_does_not_serve(client, bundle):
    post(client, files_of(bundle))
    client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    reply = post(client, files_of(bundle))
    assert (reply.json["version"], reply.json["serves"]) == (2, 1)


# -- what is refused, and leaves nothing ----------------------------------------------


def refused(client, config, reply, status):
    sentence = error_of(reply, status)
    assert not list(config.model_dir.iterdir())
    return sentence


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"name": "other"}, 400, "'other' and 'name' in params.json is 'linear'"),
        ({"weights": b"x"}, 400, "unknown field 'weights'"),
        ({"model": [File("a.onnx", b"x")] * 2}, 400, "'model' is there twice"),
        ({"onnx": b"x"}, 400, "two different files 'model.onnx'"),
        ({"params": File("params.json", b"{")}, 422, "params.json is not JSON"),
        ({"labels": File("labels.txt", b"one\n")}, 422, "labels.txt names 1 classes"),
        ({"model": File("model.onnx", b"junk")}, 422, "model.onnx is damaged"),
        ({"model": File("x.onnx", bytes(2_000_000))}, 413, "more than 1000000 bytes"),
        ({"variables": File("../..", b"x")}, 400, "not taken"),
        ({"variables": "text"}, 400, "not taken"),
    ],
)
def test_a_form_that_makes_no_bundle_leaves_nothing(
    client, config, bundle, change, status, sentence
):
    reply = post(client, {**files_of(bundle), **change})
    assert sentence in refused(client, config, reply, status)


@pytest.mark.parametrize("missing", ["params", "model", "labels"])
def test_a_form_without_a_file_leaves_nothing(client, config, bundle, missing):
    fields = files_of(bundle)
    del fields[missing]
    if missing == "params":
        del fields["name"]  # the name alone would do
    reply = post(client, fields)
    status = 422 if missing == "labels" else 400
    assert missing in refused(client, config, reply, status)


def test_a_form_without_fields_leaves_nothing(client, config):
    assert "'params' is missing" in refused(client, config, post(client, {}), 400)


# The cut of 3 bytes takes part of the last boundary's "--" and its line's end.
@pytest.mark.parametrize("lost", [3, 4, 50, 100, 300, 700])
def test_a_form_cut_short_leaves_nothing(client, config, bundle, lost):
    body, headers = form(**files_of(bundle))
    reply = client.simulate_post("/upload", body=body[:-lost], headers=headers)
    assert "form cannot be read" in refused(client, config, reply, 400)


@pytest.mark.parametrize(("length", "status"), [(70, 200), (71, 400), (9000, 400)])
def test_a_boundary_has_an_end(client, bundle, length, status):
    """RFC 2046 sets the limit of a boundary's length."""
    boundary = "b" * length
    body, headers = form(**files_of(bundle))
    kind = headers["Content-Type"]
    old = kind.partition("boundary=")[2].strip('"')
    body = body.replace(old.encode(), boundary.encode())
    headers = {**headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    reply = client.simulate_post("/upload", body=body, headers=headers)
    assert reply.status_code == status


def test_a_form_without_a_boundary_leaves_nothing(client, config):
    headers = {"Content-Type": "multipart/form-data"}
    reply = client.simulate_post("/upload", body=b"x", headers=headers)
    assert "form cannot be read" in refused(client, config, reply, 400)


@pytest.mark.parametrize(
    "disposition", [b"form-data", b'form-data; name="\xff"', b'form-data; name="x\xed"']
)
def test_a_part_without_a_name_leaves_nothing(client, config, disposition):
    body = f"--{BOUNDARY}\r\nContent-Disposition: ".encode() + disposition
    body += f"\r\n\r\n1\r\n--{BOUNDARY}--\r\n".encode()
    _, headers = form()
    refused(
        client, config, client.simulate_post("/upload", body=body, headers=headers), 400
    )


def test_bad_base64_leaves_nothing(client, config, bundle):
    headers = {"Content-Encoding": "base64"}
    reply = post(client, files_of(bundle), **headers)
    assert "not base64 text" in refused(client, config, reply, 400)
    reply = client.simulate_post("/upload", body=tar_of(bundle), headers=headers)
    assert "not base64 text" in refused(client, config, reply, 400)


def test_a_form_is_not_gzipped(client, bundle):
    reply = post(client, files_of(bundle), **{"Content-Encoding": "gzip"})
    assert "a form without it" in error_of(reply, 415)


def test_a_refused_form_leaves_the_old_version_serving(client, bundle):
    post(client, files_of(bundle))
    reply = post(client, {**files_of(bundle), "labels": File("labels.txt", b"1\n")})
    error_of(reply, 422)
    assert predict(client) == [10, 20, 70]
    assert client.simulate_get("/models/linear").json["serves"] == 1


def test_the_next_form_is_the_next_version(client, tmp_path, bundle):
    post(client, files_of(bundle))
    twice = File("m.onnx", linear_onnx(np.asarray(WEIGHTS) * 2))
    assert post(client, {**files_of(bundle), "model": twice}).json["version"] == 2
    assert predict(client) == [20, 40, 140]


@pytest.mark.tensorflow
def test_a_saved_model_by_form_is_served_by_tensorflow(client, tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.weights = tf.Variable(WEIGHTS)
    spec = tf.TensorSpec([None, 2, 2, 1], tf.float32, name="pixels")
    module.served = tf.function(
        lambda pixels: {"scores": tf.reshape(pixels, [-1, 4]) @ module.weights},
        input_signature=[spec],
    )
    tf.saved_model.save(module, tmp_path, {"serving_default": module.served})
    reply = post(
        client,
        {
            "name": "linear",
            "params": File("p.json", b'{"name": "linear", "img_channels": 1}'),
            "model": File("saved_model.pb", (tmp_path / "saved_model.pb").read_bytes()),
            "variables": [
                File(path.name, path.read_bytes())
                for path in (tmp_path / "variables").iterdir()
            ],
        },
    )
    assert reply.json["backend"] == "tensorflow/cpu"
    assert predict(client) == [10, 20, 70]


@pytest.mark.tensorflow
def test_a_frozen_graph_by_form_is_served_by_its_own_name(client, config):
    """TFaaS's first models have params.json with nodes, and without a file."""
    params = {
        "name": "linear",
        "img_channels": 1,
        "inputNode": "x",
        "outputNode": "scores",
    }
    reply = post(
        client,
        {
            "name": "linear",
            "params": File("params.json", json.dumps(params).encode()),
            "model": File(FILE, frozen(pixels)),
            "labels": File("labels.txt", b"zero\none\ntwo\n"),
        },
    )
    assert reply.json["backend"] == "tensorflow/cpu"
    stored = client.simulate_get("/params/linear").json
    assert stored == {**params, "model": FILE, "labels": "labels.txt"}
    body, headers = form(image=png([[10, 20], [30, 40]]), model="linear")
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    (first, *_) = reply.json["labels"]
    assert first == {"label": "two", "probability": 70}
