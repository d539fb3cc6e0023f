"""Every route that takes JSON gets any JSON at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import LocalClient
from tests.fuzz.inputs import write_store

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.sampled_from(
    ["model", "keys", "values", "inputs", "a", "b", "text", "flag", "name", "labels"]
) | st.text(max_size=3)
ANY = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)
MODEL = st.sampled_from(["linear", "pair", "texts"])
ASKED = ANY | st.fixed_dictionaries(
    {"model": MODEL}, optional={"keys": ANY, "values": ANY, "inputs": ANY}
)


# The words of the Open Inference Protocol, and those of the store's models.
WORDS = st.sampled_from(
    ["pixels", "a", "text", "FP32", "INT64", "BYTES", "BOOL", "scores", 0, 1, 2, 4]
)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["binary_data_size", "binary_data", "classification", "binary_data_output"]
    ),
    ANY | WORDS,
    max_size=2,
)
TENSOR = st.fixed_dictionaries(
    {"name": WORDS},
    optional={
        "shape": st.lists(st.integers(-1, 4), max_size=5) | ANY,
        "datatype": WORDS,
        "data": st.lists(WORDS, max_size=4) | ANY,
        "parameters": PARAMETERS,
    },
)
TENSORS = st.lists(TENSOR, max_size=3) | ANY
INFERRED = ANY | st.fixed_dictionaries(
    {"inputs": TENSORS},
    optional={"id": ANY, "outputs": TENSORS, "parameters": PARAMETERS, "x": ANY},
)


# The words of TensorFlow Serving's API.
BASE64 = st.fixed_dictionaries({"b64": st.sampled_from(["", "YQ==", "/w", "?"]) | ANY})
VALUE = ANY | BASE64 | st.lists(st.lists(st.integers(0, 4) | st.floats() | BASE64))
ITEM = VALUE | st.dictionaries(
    st.sampled_from(["pixels", "a", "b", "text", "flag"]), VALUE, max_size=2
)
PREDICTED = ANY | st.fixed_dictionaries(
    {},
    optional={
        "instances": st.lists(ITEM, max_size=3) | ANY,
        "inputs": ITEM,
        "examples": st.lists(ITEM, max_size=3) | ANY,
        "context": ITEM,
        "signature_name": st.sampled_from(["", "serving_default"]) | ANY,
    },
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    config = Config(model_dir=tmp_path_factory.mktemp("store"), provider="cpu")
    write_store(config.model_dir)
    return LocalClient(create_app(create_services(config), config))


@settings(deadline=None, derandomize=True, database=None, max_examples=150)
@given(content=ASKED)
@pytest.mark.parametrize("path", ["/predict", "/predict/json", "/params"])
def test_no_json_is_more_than_refused(client, path, content):
    reply = client.simulate_post(path, json=content)
    assert reply.status_code in (200, 400, 404, 413, 415, 422), reply.text


@settings(deadline=None, derandomize=True, database=None, max_examples=150)
@given(content=INFERRED)
@pytest.mark.parametrize("model", ["linear", "pair", "texts"])
def test_no_inference_is_more_than_refused(client, model, content):
    reply = client.simulate_post(f"/v2/models/{model}/infer", json=content)
    assert reply.status_code in (200, 400), reply.text


@settings(deadline=None, derandomize=True, database=None, max_examples=150)
@given(content=PREDICTED)
@pytest.mark.parametrize("model", ["linear", "pair", "texts"])
@pytest.mark.parametrize("method", ["predict", "classify", "regress"])
def test_no_request_of_tensorflow_serving_is_more_than_refused(
    client, model, method, content
):
    # Python writes NaN and infinity as TensorFlow Serving reads them.
    body = json.dumps(content)
    reply = client.simulate_post(f"/v1/models/{model}:{method}", body=body)
    assert reply.status_code in (200, 400), reply.text
