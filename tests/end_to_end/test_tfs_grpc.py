"""TensorFlow Serving's own gRPC client asks a real server."""

import json
import os
import subprocess
import sys

import pytest

from runtime.wire.tfs import serving_pb2
from tests.end_to_end.conftest import (
    CLIENT,
    PATIENCE,
    RUNTIME,
    own_address,
    serving,
)
from tests.end_to_end.tfs.environment import REQUIREMENTS, folder_of_stubs
from tests.examples import write_bundle
from tests.forms import png
from tests.runtime.graphs import half_plus_two, texts_and_flags, two_inputs


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return what the client found."""
    stubs = folder_of_stubs()
    folder = tmp_path_factory.mktemp("tfs")
    models = folder / "models"
    write_bundle(models / "linear" / "1")
    for name, content in (
        ("half_plus_two", half_plus_two()),
        ("pair", two_inputs()),
        ("texts", texts_and_flags()),
    ):
        write_bundle(
            models / name / "00000123",
            name=name,
            onnx_bytes=content,
            labels=(),
            params={"img_channels": 0, "labels": ""},
        )
    host, port = own_address()
    command = f"{RUNTIME} --workers 1 --host {host} --grpc-port {port}"
    with serving(command, folder) as server:
        labels = f"{server.url}/models/half_plus_two/labels/canary"
        assert CLIENT.put(labels, json={"version": 123}).status_code == 200
        done = subprocess.run(
            [
                sys.executable,
                REQUIREMENTS.with_name("ask_grpc.py"),
                f"{host}:{port}",
                png([[1, 2], [3, 4]]).hex(),
            ],
            env={**os.environ, "PYTHONPATH": str(stubs), "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_messages_are_tensorflow_servings(answers):
    messages = list(serving_pb2.DESCRIPTOR.message_types_by_name.values())
    for message in messages:  # nested ones are appended meanwhile
        messages.extend(message.nested_types)
        for field in message.fields:
            name = field.full_name.replace("tfaas.serving", "tensorflow.serving")
            found = [field.number, field.type, field.is_repeated]
            assert answers["fields"][name] == found, name
    states = dict(serving_pb2.ModelVersionStatus.State.items())
    assert answers["states"] == states


# The model is TensorFlow Serving's example: x/2 + 2.
HALF = {"y": ["float32", [2.5, 3.0, 4.5]]}


@pytest.mark.parametrize("way", ["row", "a version", "a label"])
def test_a_prediction(answers, way):
    assert answers[way] == {
        "outputs": HALF,
        "spec": ["half_plus_two", 123, "serving_default"],
    }


def test_clients_that_read_the_field_find_the_values_there(answers):
    assert answers["float_val"] == [2.5, 3.0, 4.5]


def test_one_value_stands_for_all(answers):
    assert answers["one value for all"]["outputs"] == {"y": ["float32", [2.5] * 3]}


def test_several_inputs_and_outputs(answers):
    less = ["int64", [[2, 3]]]
    assert answers["several"]["outputs"] == {
        "sum": ["float32", [[4.0, 6.0]]],
        "less": less,
    }
    assert answers["one of several"]["outputs"] == {"less": less}


def test_texts_and_pictures(answers):
    assert answers["texts"]["outputs"] == {
        "same": ["object", ["a", "é"]],
        "other": ["bool", [False, True]],
    }
    scores = ["float32", [[1.0, 2.0, 7.0]] * 2]
    assert answers["picture"]["outputs"] == {"scores": scores}


def test_the_states(answers):
    assert answers["status"] == {
        "model_version_status": [
            {
                "version": "123",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def test_the_metadata(answers):
    assert answers["metadata of"] == ["half_plus_two", 123]
    signature = answers["metadata"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"] == {
        "name": "x:0",
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1"}]},
    }


INVALID = "INVALID_ARGUMENT"
REFUSED = {
    "no model": ("NOT_FOUND", "Servable not found for request: Latest(half)"),
    "no version": (
        "NOT_FOUND",
        "Servable not found for request: Specific(half_plus_two, 9)",
    ),
    "no label": (INVALID, "Unrecognized servable version label: old"),
    "no spec": (INVALID, "Missing ModelSpec"),
    "no signature": (
        INVALID,
        'Serving signature name: "other" not found in signature def',
    ),
    "no input": (INVALID, "input 'x' is missing"),
    "another input": (INVALID, "the model has no input 'z'; its inputs are x"),
    "another type": (INVALID, "input 'x' is DT_INT64 and the model takes DT_FLOAT"),
    "another shape": (
        INVALID,
        "input 'x' has shape (1, 2) and the model takes (any)",
    ),
    "no output": (
        INVALID,
        "output tensor alias not found in signature: z Outputs expected to be in the"
        " set {y}.",
    ),
    "an output twice": (INVALID, "duplicate output tensor alias: y"),
    "no metadata": (
        INVALID,
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "odd metadata": (INVALID, "Metadata field odd is not supported"),
    "no states": ("NOT_FOUND", "Could not find any versions of model half"),
    "no state": ("NOT_FOUND", "Could not find version 9 of model half_plus_two"),
}


@pytest.mark.parametrize(("case", "error"), REFUSED.items(), ids=REFUSED)
def test_refused(answers, case, error):
    assert answers["refused"][case] == list(error)


def test_a_message_above_the_limit_and_a_damaged_one(answers):
    code, _ = answers["refused"]["a message above the limit"]
    assert code == "RESOURCE_EXHAUSTED"
    code, sentence = answers["refused"]["damaged"]
    assert code == INVALID
    assert "is no protobuf message" in sentence
