"""Models lie as TFaaS, TensorFlow Serving and Triton keep them, and are served so."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from bundle.store import ModelStore
from tests.end_to_end.conftest import CLIENT, RUNTIME, run, run_python, serving
from tests.examples import linear_onnx, write_bundle

pytestmark = pytest.mark.tensorflow

# The model answers (N, 3) -> (N, 3): two times x, and one more. It has a variable, as
# Keras's own have.
EXPORT = """
import tensorflow as tf

class Twice(tf.Module):
    def __init__(self):
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def __call__(self, x):
        return {"y": x * self.factor + 1}

model = Twice()
tf.saved_model.save(model, "twice", signatures=model.__call__)
"""
CONFIG = """
name: "onnx"
platform: "onnxruntime_onnx"
max_batch_size: 4
input [ { name: "pixels", data_type: TYPE_FP32, dims: [ 2, 2, 1 ] } ]
output [ { name: "scores", data_type: TYPE_FP32, dims: [ 3 ] } ]
"""
SERVING = "tensorflow-serving", "1700000000"
TRITON = "triton", "3/model.savedmodel"
FLAT = "tfaas", "."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the models of three servers, and TFaaS's config.json."""
    folder = tmp_path_factory.mktemp("layouts")
    done = run_python(EXPORT, folder)
    assert done.returncode == 0, done.stderr
    for name, place in (SERVING, TRITON, FLAT):
        shutil.copytree(
            folder / "twice", folder / "models" / name / place, dirs_exist_ok=True
        )
    (folder / "models" / "onnx" / "1").mkdir(parents=True)
    (folder / "models" / "onnx" / "1" / "model.onnx").write_bytes(linear_onnx())
    (folder / "models" / "onnx" / "config.pbtxt").write_text(CONFIG)
    # tfaas.json is a config.json as TFaaS's deployments have it.
    (folder / "tfaas.json").write_text(
        json.dumps(
            {
                "Port": 8083,
                "auth": "false",
                "modelDir": "models",
                "staticDir": "static",
                "configProto": "",
                "base": "",
                "logFormatter": "text",
                "verbose": 1,
                "serverKey": "",
                "serverCrt": "",
                "updateDNs": 60,
                "cacheLimit": 0,
            }
        )
    )
    (folder / "token.txt").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def url(folder):
    # The digest is that of "secret", by sha256sum.
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    tokens = f"--write-tokens {digest} --token-header X-Token"
    command = f"{RUNTIME} -config tfaas.json --workers 1 --provider cpu {tokens}"
    with serving(command, folder) as server:
        yield server.url


def ask(url, **body):
    reply = CLIENT.post(f"{url}/json", content=json.dumps(body))
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("layout", [SERVING, TRITON, FLAT], ids=lambda at: at[0])
def test_a_saved_model_is_served_where_it_lies(url, layout):
    name, _ = layout
    assert ask(url, values=[1, 2, 3], model=name) == [3, 5, 7]
    inputs = {"x": [[1, 2, 3]]}
    assert ask(url, inputs=inputs, model=name) == {"outputs": {"y": [[3, 5, 7]]}}


def test_all_of_them_are_listed(url, folder):
    listed = {m["name"]: m for m in CLIENT.get(f"{url}/models").json()}
    assert {SERVING[0], TRITON[0], FLAT[0], "onnx"} <= listed.keys()
    assert all(model["error"] is None for model in listed.values())
    assert listed[SERVING[0]]["version"] == 1700000000
    assert listed[TRITON[0]]["version"] == 3
    assert ask(url, values=[10, 20, 30, 40], model="onnx") == [10, 20, 70]


def test_keys_of_tfaas_get_a_warning_each(folder):
    told = run("runtime serve -config tfaas.json --print-config", folder)
    for key in ("Port", "auth", "logFormatter", "updateDNs", "cacheLimit"):
        assert f"warning: tfaas.json: {key!r}" in told


def test_a_saved_model_is_uploaded_without_params(url, folder):
    """TFaaS's README sends its main example so."""
    (folder / "src").mkdir()
    shutil.copytree(folder / "twice", folder / "src" / "mymodel")
    run("tar cfz model.tar.gz -C src mymodel", folder)
    send = "curl -sS -X POST -H 'Content-Encoding: gzip' -H 'X-Token: secret'"
    send += " -H 'Content-Type: application/octet-stream'"
    reply = run(f"{send} --data-binary @model.tar.gz {url}/upload", folder)
    assert json.loads(reply)["name"] == "mymodel", reply
    assert ask(url, values=[1, 2, 3], name="mymodel") == [3, 5, 7]


def test_the_exporter_converts_a_model_of_another_server(url, folder):
    """A version that gets a proved model.onnx is served from it."""
    run(f"python -m exporter convert {FLAT[0]}", folder)
    reply = CLIENT.post(
        f"{url}/json", content=json.dumps({"values": [1, 2, 3], "model": FLAT[0]})
    )
    assert reply.json() == [3, 5, 7]


def test_the_commands_send_the_token_in_its_header(url, folder):
    write_bundle(folder / "linear", name="pushed")
    push = f"runtime models push linear --server {url} --token-file token.txt"
    assert "Authorization" not in run(f"{push} --token-header X-Token", folder)
    refused = run(push, folder, code=2)
    assert "send X-Token: Bearer TOKEN" in refused


def test_the_bundle_of_such_a_model_is_taken_back(url, folder, tmp_path):
    """Its archive has the model's files alone, under the model's name."""
    packed = CLIENT.get(f"{url}/models/{TRITON[0]}/3/bundle").content
    (tmp_path / "packed.tar.gz").write_bytes(packed)
    with tarfile.open(tmp_path / "packed.tar.gz") as tar:
        names = tar.getnames()
    assert {Path(name).parts[0] for name in names} == {TRITON[0]}
    assert f"{TRITON[0]}/saved_model.pb" in names
    reply = CLIENT.post(
        f"{url}/upload", content=packed, headers={"X-Token": "Bearer secret"}
    )
    assert reply.json()["version"] == 4
    store = ModelStore(folder / "models")
    assert store.versions(TRITON[0]) == [3, 4]
