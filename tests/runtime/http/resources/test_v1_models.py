"""States and metadata of models, as TensorFlow Serving's clients ask for them."""

import pytest

from tests.runtime.graphs import half_plus_two, one_number


@pytest.fixture
def get(client, publish):
    publish("half", half_plus_two())

    def get(path):
        reply = client.simulate_get(f"/v1/models{path}")
        return reply.status_code, reply.json

    return get


def state(number, state="AVAILABLE", code="OK", message=""):
    return {
        "version": str(number),
        "state": state,
        "status": {"error_code": code, "error_message": message},
    }


def states(*several):
    return (200, {"model_version_status": list(several)})


def test_the_states(get, client, publish):
    assert get("/half") == states(state(1))
    publish("half", one_number())
    assert get("/half") == states(state(2), state(1))
    assert get("/half/versions/1") == states(state(1))
    assert get("/half/versions/01") == states(state(1))
    client.simulate_put("/models/half/labels/old", json={"version": 1})
    assert get("/half/labels/old") == states(state(1))


def test_a_model_that_is_unloaded_is_at_its_end(get, client):
    client.simulate_post("/v2/repository/models/half/unload")
    _, found = get("/half")
    (one,) = found["model_version_status"]
    assert one["state"] == "END"
    assert "unloaded" in one["status"]["error_message"]
    reply = client.simulate_post("/v1/models/half:predict", json={"instances": [1]})
    assert reply.status_code == 404
    client.simulate_post("/v2/repository/models/half/load")
    assert get("/half") == states(state(1))


def test_a_version_that_cannot_be_loaded_is_at_its_end(get, client, publish):
    publish("half", b"no onnx")
    client.simulate_get("/v1/models/half/versions/2/metadata")
    _, found = get("/half")
    broken, whole = found["model_version_status"]
    assert (broken["version"], broken["state"]) == ("2", "END")
    assert broken["status"]["error_code"] == "UNAVAILABLE"
    assert whole == state(1)


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("", 400, "Missing model name in request."),
        ("/", 400, "Missing model name in request."),
        ("/other", 404, "Could not find any versions of model other"),
        ("/half/versions/3", 404, "Could not find version 3 of model half"),
        ("/half/labels/new", 400, "Unrecognized servable version label: new"),
        ("/half/versions/x", 400, "Malformed request: GET /v1/models/half/versions/x"),
        ("/half:x", 400, "Malformed request: GET /v1/models/half:x"),
        (
            f"/half/versions/{2**63}",
            400,
            f"Failed to convert version: {2**63} to numeric.",
        ),
        ("/other/metadata", 404, "Servable not found for request: Latest(other)"),
        (
            "/half/versions/3/metadata",
            404,
            "Servable not found for request: Specific(half, 3)",
        ),
        ("/half/labels/new/metadata", 400, "Unrecognized servable version label: new"),
    ],
)
def test_refused(get, path, status, error):
    assert get(path) == (status, {"error": error})


@pytest.mark.parametrize("path", ["/half", "/half/versions/1", "/half/labels/now"])
def test_the_metadata(get, client, path):
    client.simulate_put("/models/half/labels/now", json={"version": 1})
    status, found = get(f"{path}/metadata")
    assert status == 200
    assert found["model_spec"] == {"name": "half", "signature_name": "", "version": "1"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    signature = signatures["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"]["dim"] == [
        {"size": "-1", "name": ""}
    ]
