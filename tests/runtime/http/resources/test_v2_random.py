"""Models with any inputs and outputs answer through the door as the engine alone."""

import itertools
import json

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from onnx import helper

from runtime.wire.content import texts_of
from runtime.wire.oip.blobs import from_blob, to_blob
from runtime.wire.oip.datatypes import BYTES, DTYPES, datatype_of
from tests.examples import write_bundle
from tests.runtime.graphs import onnx_of

SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3)
NUMBER = itertools.count()
LENGTH = "Inference-Header-Content-Length"


@st.composite
def arrays(draw):
    dtype = DTYPES[draw(st.sampled_from(sorted(DTYPES)))]
    elements = (
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
        if dtype.kind == "O"
        else arrays_of.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    )
    return draw(arrays_of.arrays(dtype, SHAPES, elements=elements))


def model_of(inputs):
    """Return a model whose outputs are its inputs, and their shapes."""
    kinds = {
        name: helper.np_dtype_to_tensor_dtype(array.dtype)
        for name, array in inputs.items()
    }
    names = list(inputs)
    nodes = [("Identity", [name], [f"{name}_same"], {}) for name in names]
    nodes.append(("Shape", [names[0]], ["shape"], {}))
    return onnx_of(
        nodes,
        [(name, kinds[name], inputs[name].shape) for name in names],
        [(f"{name}_same", kinds[name], inputs[name].shape) for name in names]
        + [("shape", 7, (inputs[names[0]].ndim,))],
    )


def asked(inputs, is_binary):
    """Return the body and the headers of a request with these inputs."""
    described, blobs = [], []
    for name, array in inputs.items():
        one = {
            "name": name,
            "shape": array.shape,
            "datatype": datatype_of(array.dtype),
        }
        if is_binary:
            blobs.append(to_blob(array))
            one["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            one["data"] = array.tolist()
        described.append(one)
    content = {"inputs": described, "parameters": {"binary_data_output": is_binary}}
    head = json.dumps(content).encode()
    return head + b"".join(blobs), {LENGTH: str(len(head))}


def outputs_of(reply):
    """Return the arrays of a reply, by name."""
    content = reply.content
    size = int(reply.headers.get(LENGTH.lower(), len(content)))
    place, arrays = size, {}
    for one in json.loads(content[:size])["outputs"]:
        name, datatype, shape = one["name"], one["datatype"], tuple(one["shape"])
        if "data" in one:
            array = np.array(one["data"], DTYPES[datatype]).reshape(shape)
        else:
            end = place + one["parameters"]["binary_data_size"]
            blob = memoryview(content[place:end])
            array = from_blob(name, blob, datatype, shape)
            array = texts_of(name, array) if datatype == BYTES else array
            place = end
        arrays[name] = array
    return arrays


def published(config, given):
    """Publish a model; return its inputs, its name and the answer of its engine."""
    inputs = {f"x{number}": array for number, array in enumerate(given)}
    name, content = f"random{next(NUMBER)}", model_of(inputs)
    params = {"img_channels": 0, "labels": ""}
    folder = config.model_dir / name / "1"
    write_bundle(folder, name=name, onnx_bytes=content, params=params, labels=())
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    expected = dict(
        zip(
            [output.name for output in session.get_outputs()],
            session.run(None, inputs),
            strict=True,
        )
    )
    return inputs, name, expected


def check(found, expected):
    assert found.keys() == expected.keys()
    for output, array in expected.items():
        array = np.asarray(array)
        assert found[output].shape == array.shape
        if array.dtype.kind in "OU":
            assert found[output].tolist() == array.tolist()
        else:
            assert found[output].dtype == array.dtype
            assert found[output].tobytes() == array.tobytes()


@pytest.mark.parametrize("is_binary", [False, True])
@settings(deadline=None, max_examples=25)
@given(given=st.lists(arrays(), min_size=1, max_size=4))
def test_any_model_answers_as_its_engine_does(client, config, is_binary, given):
    inputs, name, expected = published(config, given)
    body, headers = asked(inputs, is_binary)
    path = f"/v2/models/{name}/infer"
    reply = client.simulate_post(path, body=body, headers=headers)
    assert reply.status_code == 200, reply.text
    check(outputs_of(reply), expected)


@settings(deadline=None, max_examples=25)
@given(given=st.lists(arrays(), min_size=1, max_size=4))
def test_tensorflow_servings_door_answers_so_too(client, config, given):
    inputs, name, expected = published(config, given)
    content = {"inputs": {key: array.tolist() for key, array in inputs.items()}}
    reply = client.simulate_post(f"/v1/models/{name}:predict", json=content)
    assert reply.status_code == 200, reply.text
    found = {
        key: np.array(value, np.asarray(expected[key]).dtype)
        for key, value in reply.json["outputs"].items()
    }
    check(found, expected)
