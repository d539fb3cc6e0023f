"""Triton's own gRPC client asks a real server, and finds what it knows of Triton."""

import base64
import json
import subprocess

import numpy as np
import pytest

from runtime.wire.oip import inference_pb2
from tests.end_to_end.conftest import PATIENCE, RUNTIME, own_address, serving
from tests.end_to_end.triton.environment import REQUIREMENTS, python_of_triton
from tests.end_to_end.triton.store import write_models
from tests.examples import WEIGHTS
from tests.forms import png

# The same numbers as in ask_grpc.py.
SCORES = (np.arange(1, 9).reshape(2, 4) @ WEIGHTS).ravel().tolist()


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return what the client found at a service with two versions of one model."""
    python = python_of_triton()
    folder = tmp_path_factory.mktemp("triton")
    write_models(folder / "models")
    host, port = own_address()
    command = f"{RUNTIME} --workers 2 --host {host} --grpc-port {port}"
    with serving(command, folder):
        picture = base64.b64encode(png([[1, 2], [3, 4]])).decode()
        script = REQUIREMENTS.with_name("ask_grpc.py")
        done = subprocess.run(
            [python, script, f"{host}:{port}", picture],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_messages_are_tritons(answers):
    messages = list(inference_pb2.DESCRIPTOR.message_types_by_name.values())
    for message in messages:  # nested ones are appended meanwhile
        messages.extend(message.nested_types)
        for field in message.fields:
            found = [field.number, field.type, field.is_repeated]
            assert answers["fields"][field.full_name] == found, field.full_name


def test_the_server(answers):
    assert answers["server"]["name"] == "tfaas-onnx"
    assert "binary_tensor_data" in answers["server"]["extensions"]
    assert answers["live"]
    assert answers["ready"]
    assert answers["ready models"] == [True, False]


def test_metadata_and_config(answers):
    metadata = answers["metadata"]
    assert metadata["versions"] == ["1", "2"]
    assert metadata["inputs"] == [
        {"name": "pixels", "datatype": "FP32", "shape": ["-1", "2", "2", "1"]}
    ]
    assert answers["metadata of a version"]["versions"] == ["1"]
    config = answers["config"]["config"]
    assert config["max_batch_size"] > 0
    assert config["output"] == [
        {"name": "scores", "data_type": "TYPE_FP32", "dims": ["3"]}
    ]


@pytest.mark.parametrize("way", ["plain", "named", "in time"])
def test_an_inference(answers, way):
    found = answers["infer"][way]
    assert found["outputs"] == {"scores": SCORES}
    assert found["model"] == ["linear", "2"]
    assert found["described"] == {"scores": ["FP32", [2, 3]]}


def test_an_id_comes_back(answers):
    assert answers["infer"]["plain"]["id"] == "7"
    assert answers["infer"]["named"]["id"] == ""


def test_a_version(answers):
    assert answers["infer"]["version"]["model"] == ["linear", "1"]


def test_classes(answers):
    found = answers["infer"]["classes"]
    assert found["described"]["scores"] == ["BYTES", [2, 2]]
    # Pixels 2 and 3 add up to the last class.
    assert found["outputs"]["scores"] == [
        *("7.0:2:two", "2.0:1:one"),
        *("15.0:2:two", "6.0:1:one"),
    ]


def test_several_inputs_and_outputs(answers):
    assert answers["infer"]["pair"]["outputs"] == {
        "sum": [2.5, 0, 6, 2.0**40],
        "less": [0, 1, 2, 2**40 - 1],
    }


def test_texts(answers):
    assert answers["infer"]["texts"]["outputs"] == {
        "same": ["a", "é\0b"],
        "other": [False, True],
    }


def test_pictures(answers):
    assert answers["infer"]["picture"]["outputs"] == {"scores": SCORES[:3] * 2}


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_packed_messages(answers, algorithm):
    assert answers["infer"][algorithm]["outputs"] == {
        "scores": SCORES[:3] * 200 + SCORES[3:] * 200
    }


def test_several_requests_at_once(answers):
    for number in range(8):
        assert answers["infer"][f"async {number}"]["outputs"] == {"scores": SCORES}
    assert [one["outputs"] for one in answers["asyncio"]] == [{"scores": SCORES}] * 3


def test_a_stream_goes_on_after_a_refusal(answers):
    first, refused, last = answers["stream"]
    assert (first["id"], first["outputs"]) == ("0", {"scores": SCORES})
    assert "there is no model 'other'" in refused
    assert (last["id"], last["outputs"]) == ("2", {"scores": SCORES})
    assert [first["final"], last["final"]] == [False, True]


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        ("no model", "NOT_FOUND", "there is no model 'other'"),
        ("no version", "NOT_FOUND", "has no version 9"),
        ("no number", "NOT_FOUND", "'x' is no version"),
        ("datatype", "INVALID_ARGUMENT", "is FP64 and the model takes FP32"),
        ("bytes", "INVALID_ARGUMENT", "has 32 bytes of binary data"),
        ("output", "INVALID_ARGUMENT", "no output 'other'"),
        ("config", "UNIMPLEMENTED", "POST /upload"),
        ("files", "UNIMPLEMENTED", "POST /upload"),
        ("load", "NOT_FOUND", "there is no model 'other'"),
        ("ready", "NOT_FOUND", "'x' is no version"),
        ("statistics", "NOT_FOUND", "there is no model 'other'"),
        ("its time", "DEADLINE_EXCEEDED", "time was over"),
        ("shared memory", "UNIMPLEMENTED", "Method not found"),
    ],
)
def test_refusals(answers, what, status, words):
    found, message = answers["refused"][what]
    assert found == f"StatusCode.{status}"
    assert words in message


def test_a_model_is_unloaded_and_loaded(answers):
    assert answers["repository"] == [
        {"index": ["READY"], "ready": True},
        {"index": ["UNAVAILABLE"], "ready": False},
        {"index": ["READY"], "ready": True},
    ]


def test_the_counts(answers):
    first, second = answers["statistics"]["model_stats"]
    assert [first["version"], second["version"]] == ["1", "2"]
    assert first["inference_stats"]["success"]["count"] == "1"
    assert int(second["inference_stats"]["success"]["count"]) > 10
    assert int(second["inference_stats"]["fail"]["count"]) >= 2
    assert answers["statistics of all"] == 4
