"""Triton's own HTTP client asks a real server, and finds what it knows of Triton."""

import base64
import json
import subprocess

import numpy as np
import pytest

from tests.end_to_end.conftest import PATIENCE, RUNTIME, serving
from tests.end_to_end.triton.environment import REQUIREMENTS, python_of_triton
from tests.end_to_end.triton.store import write_models
from tests.examples import WEIGHTS
from tests.forms import png

# The same numbers as in ask_http.py.
SCORES = (np.arange(1, 9).reshape(2, 4) @ WEIGHTS).ravel().tolist()


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return what the client found at a service with two versions of one model."""
    python = python_of_triton()
    folder = tmp_path_factory.mktemp("triton")
    write_models(folder / "models")
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        picture = base64.b64encode(png([[1, 2], [3, 4]])).decode()
        script = REQUIREMENTS.with_name("ask_http.py")
        done = subprocess.run(
            [python, script, server.url, picture],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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
        {"name": "pixels", "datatype": "FP32", "shape": [-1, 2, 2, 1]}
    ]
    assert answers["metadata of a version"]["versions"] == ["1"]
    assert answers["config"]["max_batch_size"] > 0
    assert answers["config"]["output"] == [
        {"name": "scores", "data_type": "TYPE_FP32", "dims": [3]}
    ]


@pytest.mark.parametrize("way", ["binary", "json", "mixed", "in time"])
def test_binary_and_json_give_the_same(answers, way):
    found = answers["infer"][way]
    assert found["outputs"] == {"scores": SCORES}
    assert found["model"] == ["linear", "2"]
    assert found["described"]["scores"]["shape"] == [2, 3]
    is_binary = way in ("binary", "in time")
    assert ("data" in found["described"]["scores"]) != is_binary


def test_an_id_comes_back(answers):
    assert answers["infer"]["binary"]["id"] == "7"
    assert answers["infer"]["json"]["id"] is None


def test_a_version(answers):
    assert answers["infer"]["version"]["model"] == ["linear", "1"]


def test_classes(answers):
    found = answers["infer"]["classes"]
    assert found["described"]["scores"]["shape"] == [2, 2]
    # Pixels 2 and 3 add up to the last class.
    assert found["outputs"]["scores"] == [
        *("7.0:2:two", "2.0:1:one"),
        *("15.0:2:two", "6.0:1:one"),
    ]
    whole = answers["infer"]["classes in JSON"]["described"]["scores"]
    assert whole["datatype"] == "BYTES"
    assert whole["shape"] == [2, 3]


def test_several_inputs_and_outputs(answers):
    assert answers["infer"]["pair"]["outputs"] == {
        "sum": [2.5, 0, 6, 2.0**40],
        "less": [0, 1, 2, 2**40 - 1],
    }


@pytest.mark.parametrize("way", ["texts", "texts in JSON"])
def test_texts(answers, way):
    assert answers["infer"][way]["outputs"] == {
        "same": ["a", "é\0b"],
        "other": [False, True],
    }


def test_pictures(answers):
    assert answers["infer"]["picture"]["outputs"] == {"scores": SCORES[:3] * 2}


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_packed_bodies(answers, algorithm):
    assert answers["infer"][algorithm]["outputs"] == {
        "scores": SCORES[:3] * 200 + SCORES[3:] * 200
    }


def test_several_requests_at_once(answers):
    for number in range(8):
        found = answers["infer"][f"async {number}"]
        assert found["outputs"] == {"scores": SCORES}
    assert answers["asyncio"]["outputs"] == {"scores": SCORES}


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        ("no model", "404", "there is no model 'other'"),
        ("no version", "404", "has no version 9"),
        ("datatype", "400", "is FP64 and the model takes FP32"),
        ("output", "400", "no output 'other'"),
        ("config", "501", "POST /upload"),
        ("files", "501", "POST /upload"),
    ],
)
def test_refusals(answers, what, status, words):
    found, message = answers["refused"][what]
    assert found == status
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
    assert first["inference_stats"]["success"]["count"] == 1
    assert second["inference_stats"]["success"]["count"] > 10
    assert second["inference_stats"]["fail"]["count"] >= 2
