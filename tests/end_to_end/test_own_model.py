"""People's own models: each kind of file is pushed, and asked through each door."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.conftest import (
    CLIENT,
    RUNTIME,
    own_address,
    run,
    run_python,
    serving,
)
from tests.end_to_end.grpc_client import GrpcClient, infer_request
from tests.mixed import ANSWERS, doors, oip_request, oip_scores

# Keras and TensorFlow write the files that people have, and say what each answers: to a
# row of zeros, or to a picture of one colour. The biases make these answers differ.
MAKE = """
import json, pathlib, shutil, sys
import keras, numpy as np, tensorflow as tf
from exporter.conversion import Order, convert_and_prove
from exporter.destination import beside
from exporter.options import DEFAULTS
from exporter.sources.source import open_source
from tests.frozen import frozen, rows
from tests.mixed import FEATURES, mixed_keras

folder = pathlib.Path(sys.argv[1])
keras.utils.set_random_seed(1)
layers = keras.layers

def dense(classes):
    return layers.Dense(classes, activation="softmax", bias_initializer="normal")

iris = keras.Sequential([keras.Input((4,), name="flower"), dense(3)])
cats = keras.Sequential([
    keras.Input((8, 8, 3), name="pixels"),
    layers.Rescaling(1 / 255), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D(),
    dense(2),
])
iris.save(folder / "iris.keras")
iris.save(folder / "old.h5")
iris.export(folder / "saved", verbose=False)
cats.save(folder / "cats.keras")
(folder / "rows.pb").write_bytes(frozen(rows))

class Halves(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def half(self, x):
        return {"y": x / 2 + 1}

halves = Halves()
tf.saved_model.save(halves, str(folder / "halves"), signatures={"half": halves.half})
# ONNX cannot hash the texts that the vocabulary lacks.
lookup = layers.StringLookup(
    vocabulary=["a", "b"], num_oov_indices=2, output_mode="one_hot"
)
texts = keras.Sequential([keras.Input((), dtype="string", name="word"), lookup])
texts.export(folder / "texts", verbose=False)
mixed_keras().export(folder / "mixed", verbose=False)
params = {"name": "mixed", "labels": "", "features": FEATURES}
(folder / "mixed" / "params.json").write_text(json.dumps(params))
shutil.copytree(folder / "mixed", folder / "mixed.tensorflow")
# A process of its own would import TensorFlow anew for the conversion.
source, made = open_source(folder / "mixed"), folder / "made.onnx"
proved = convert_and_prove(Order(source, DEFAULTS, made, None), print)
beside(source).publish(source, made, proved.parity, [])
picture = np.full((1, 8, 8, 3), (200, 100, 50), np.float32)
answers = {
    "iris": iris.predict(np.zeros((1, 4)), verbose=0)[0].tolist(),
    "cats": cats.predict(picture, verbose=0)[0].tolist(),
}
(folder / "answers.json").write_text(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def files(once):
    """Return a folder with files of models, and with the answers of each."""

    def make(folder):
        done = run_python(MAKE, folder, str(folder))
        assert done.returncode == 0, done.stderr
        Image.new("RGB", (8, 8), (200, 100, 50)).save(folder / "picture.png")

    return once("own-models", make)


@pytest.fixture(scope="module")
def answers(files):
    return json.loads((files / "answers.json").read_text())


@pytest.fixture(scope="module")
def served(files, tmp_path_factory):
    """Return the URL of a server, and its address for gRPC; it has mixed models."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("mixed", "mixed.tensorflow"):
        shutil.copytree(files / name, folder / "models" / name / "1")
    (folder / "config.json").write_text('{"provider": "cpu"}')
    host, port = own_address()
    command = f"{RUNTIME} --host {host} --workers 1 --grpc-port {port}"
    with serving(command, folder) as server:
        yield server.url, f"{host}:{port}"


@pytest.fixture
def push(files, served):
    """Return a function that pushes a file, and gives the lines of the command."""

    def type_in(command, code=0):
        wrote = run(f"runtime models push {command} --server {served[0]}", files, code)
        assert "Traceback" not in wrote
        return wrote

    return type_in


@pytest.fixture
def asked(files):
    """Return a function that types the last line of a push; it gives the answer."""

    def type_in(wrote):
        line = wrote.splitlines()[-1]
        quiet = line.replace("curl ", "curl -sS --fail-with-body ")
        return json.loads(run(quiet, files))

    return type_in


def answers_of_each_door(served, name, taken, given, zeros):
    """Ask a model by both protocols of others, and by gRPC."""
    url, address = served
    tensor = {"name": taken, "shape": zeros.shape, "datatype": "FP32"}
    v2 = CLIENT.post(
        f"{url}/v2/models/{name}/infer",
        json={"inputs": [{**tensor, "data": zeros.ravel().tolist()}]},
    )
    v1 = CLIENT.post(
        f"{url}/v1/models/{name}:predict", json={"instances": zeros.tolist()}
    )
    with GrpcClient(address) as client:
        reply = client.ask("ModelInfer", infer_request(name, **{taken: zeros}))
    assert [output.name for output in reply.outputs] == [given]
    return (
        v2.json()["outputs"][0]["data"],
        v1.json()["predictions"][0],
        np.frombuffer(reply.raw_output_contents[0], np.float32).tolist(),
    )


@pytest.mark.parametrize(
    ("file", "name"),
    [("iris.keras", "iris"), ("old.h5", "old"), ("saved", "saved")],
)
def test_a_model_of_rows_is_proved_and_asked_by_each_door(
    push, asked, answers, served, file, name
):
    wrote = push(f"{file} --labels setosa,versicolor,virginica")
    assert f"{name}:1 onnxruntime/CPUExecutionProvider" in wrote
    assert "model.onnx is proved: it answers as TensorFlow does" in wrote
    np.testing.assert_allclose(asked(wrote), answers["iris"], rtol=1e-4)
    zeros = np.zeros((1, 4), np.float32)
    for answer in answers_of_each_door(served, name, "flower", "output_0", zeros):
        np.testing.assert_allclose(answer, answers["iris"], rtol=1e-4)
    reply = CLIENT.get(f"{served[0]}/models/{name}/1").json()
    assert reply["classes"] == ["setosa", "versicolor", "virginica"]


def test_a_model_of_pictures_is_asked_with_one(push, asked, answers, served):
    wrote = push("cats.keras --labels cat,dog")
    assert "img_channels is 3, from the shape of pixels" in wrote
    assert "predict/image -F image=@picture.png -F model=cats" in wrote
    np.testing.assert_allclose(asked(wrote), answers["cats"], rtol=1e-3)
    picture = np.full((1, 8, 8, 3), (200, 100, 50), np.float32)
    for answer in answers_of_each_door(served, "cats", "pixels", "output_0", picture):
        np.testing.assert_allclose(answer, answers["cats"], rtol=1e-3)


def test_a_frozen_graph_tells_its_nodes(push, asked, served):
    wrote = push("rows.pb")
    assert "its input is x, its output scores" in wrote
    assert "model.onnx is proved" in wrote
    assert asked(wrote) == [0, 0, 0]
    # Pixel 0 feeds class 0, pixel 1 class 1, and pixels 2 and 3 class 2.
    row = np.array([[1, 2, 3, 4]], np.float32)
    for answer in answers_of_each_door(served, "rows", "x", "scores", row):
        assert answer == [1, 2, 7]


def test_another_signature_is_served_by_its_onnx(push, asked):
    wrote = push("halves --signature half")
    assert "model.onnx is proved" in wrote
    assert asked(wrote) == [1, 1, 1, 1]


def test_a_model_without_onnx_stays_with_tensorflow(push, asked):
    wrote = push("texts")
    assert "there is no ONNX: ONNX has no operator for what the model does" in wrote
    assert "texts:1 tensorflow/cpu" in wrote
    # The first two places are those of unknown words.
    assert asked(wrote) == {"outputs": {"output_0": [[0, 0, 1, 0]]}}


def test_a_model_of_numbers_and_texts_answers_the_same_by_each_engine_and_door(
    served,
):
    engines = {"mixed": "onnxruntime/CPU", "mixed.tensorflow": "tensorflow/"}
    for name, engine in engines.items():
        for door in doors(name):
            headers = {**door.headers, "Content-Type": "application/json"}
            url = f"{served[0]}{door.path}"
            reply = CLIENT.post(url, content=door.body, headers=headers)
            assert reply.status_code == 200, (name, door.name, reply.text)
            assert reply.headers["X-Model-Backend"].startswith(engine)
            assert door.read(reply.json()) == door.answers, (name, door.name)
        with GrpcClient(served[1]) as client:
            assert oip_scores(client.ask("ModelInfer", oip_request(name))) == ANSWERS


def test_a_bundle_that_was_made_is_pushed_and_its_onnx_is_a_file_again(
    push, asked, answers, files, tmp_path
):
    made = run(f"runtime bundle iris.keras --name mine --output {tmp_path}/b", files)
    assert f"mine {tmp_path}/b" in made
    names = {path.name for path in (tmp_path / "b").iterdir()}
    assert {"saved_model.pb", "model.keras", "model.onnx", "parity.json"} <= names
    np.testing.assert_allclose(asked(push(f"{tmp_path}/b")), answers["iris"], rtol=1e-4)
    wrote = push(f"{tmp_path}/b/model.onnx --name again")
    # The proof beside it is a proof of this file.
    assert "model.onnx is proved" in wrote
    np.testing.assert_allclose(asked(wrote), answers["iris"], rtol=1e-4)


def test_a_broken_file_is_one_sentence(push, tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"nonsense")
    wrote = push(f"{tmp_path}/broken.keras", 2)
    assert "broken.keras is not a Keras file" in wrote.splitlines()[-1]


def test_a_push_that_is_ended_leaves_nothing(files, tmp_path):
    """The exporter ends with the command, and its files go."""
    (tmp_path / "tmp").mkdir()
    command = (
        f"env TMPDIR={tmp_path}/tmp timeout --signal TERM 2"
        f" runtime models push iris.keras --models-dir {tmp_path}/models"
    )
    run(command, files, 124)
    assert not list((tmp_path / "tmp").glob("tfaas-bundle*"))
    assert not (tmp_path / "models" / "iris").exists()
