"""TensorFlow Serving's services answer bytes with bytes; no server is there."""

import random

import pytest

from bundle.errors import DomainError
from runtime.access.gate import Access
from runtime.grpc.errors import CODE, STATUS
from runtime.grpc.lane import OwnThread
from runtime.grpc.server import services_of
from runtime.grpc.serving import Serving
from runtime.programs.tensorflow_pb2 import TensorProto
from runtime.telemetry.journey import Journey
from runtime.wire.tfs import serving_pb2 as pb
from runtime.wire.tfs.tensors import read_tensor
from tests.examples import write_bundle
from tests.forms import png
from tests.fuzz.inputs import mutated
from tests.runtime.graphs import half_plus_two, texts_and_flags


@pytest.fixture
def door(services, config):
    for name, content in (
        ("half_plus_two", half_plus_two()),
        ("texts", texts_and_flags()),
        ("linear", None),
    ):
        write_bundle(
            config.model_dir / name / "1",
            name=name,
            onnx_bytes=content,
            labels=(),
            params={"img_channels": int(name == "linear"), "labels": ""},
        )
    return {
        method.name: method
        for service in Serving(services, OwnThread()).services
        for method in service.methods
    }


def answered(door, method, message, kind):
    data = door[method].answer(message.SerializeToString(), Journey("id"))
    return kind.FromString(data)


def predicted(door, name, **inputs):
    message = pb.PredictRequest(model_spec={"name": name})
    for key, tensor in inputs.items():
        message.inputs[key].CopyFrom(tensor)
    return answered(door, "Predict", message, pb.PredictResponse)


def floats(*values):
    shape = {"dim": [{"size": len(values)}]}
    return TensorProto(dtype="DT_FLOAT", tensor_shape=shape, float_val=values)


def strings(*values):
    shape = {"dim": [{"size": len(values)}]}
    return TensorProto(dtype="DT_STRING", tensor_shape=shape, string_val=values)


def test_a_prediction(door):
    reply = predicted(door, "half_plus_two", x=floats(1, 2, 5))
    assert read_tensor("y", reply.outputs["y"]).tolist() == [2.5, 3, 4.5]
    assert reply.model_spec == pb.ModelSpec(
        name="half_plus_two", version={"value": 1}, signature_name="serving_default"
    )


def test_pictures(door):
    reply = predicted(door, "linear", pixels=strings(png([[1, 2], [3, 4]])))
    assert read_tensor("y", reply.outputs["scores"]).tolist() == [[1, 2, 7]]


def test_the_services_have_their_full_names_and_want_a_reader(services):
    found = {service.name: service for service in services_of(services, OwnThread())}
    for name in (
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
    ):
        assert {method.access for method in found[name].methods} == {Access.READ}


def texts(value):
    flag = TensorProto(dtype="DT_BOOL", tensor_shape={"dim": [{"size": 1}]})
    return {"text": strings(value), "flag": flag}


@pytest.mark.parametrize(
    ("name", "inputs", "words"),
    [
        ("texts", texts(b"\xff"), "an element that is not a text in UTF-8"),
        ("linear", {"pixels": strings()}, "holds 0 pictures; send 1 to 64"),
        ("linear", {"pixels": strings(b"no")}, "image"),
        ("half_plus_two", {"x": TensorProto(dtype=999)}, "of no type of TensorFlow"),
    ],
)
def test_refused(door, name, inputs, words):
    with pytest.raises(DomainError, match=words):
        predicted(door, name, **inputs)


def test_a_version_below_all(door):
    spec = {"name": "half_plus_two", "version": {"value": -1}}
    with pytest.raises(DomainError, match="-1 is no version's number"):
        answered(door, "Predict", pb.PredictRequest(model_spec=spec), pb.ModelSpec)


def test_no_message_is_more_than_refused(door):
    dice = random.Random(7)
    whole = pb.PredictRequest(model_spec={"name": "half_plus_two"})
    whole.inputs["x"].CopyFrom(floats(1, 2, 5))
    text = pb.PredictRequest(model_spec={"name": "texts"}, output_filter=["same"])
    for key, tensor in texts(b"a").items():
        text.inputs[key].CopyFrom(tensor)
    fields = pb.GetModelMetadataRequest(
        model_spec={"name": "linear"}, metadata_field=["signature_def"]
    )
    status = pb.GetModelStatusRequest(model_spec={"name": "linear"})
    asked = [
        ("Predict", whole),
        ("Predict", text),
        ("GetModelMetadata", fields),
        ("GetModelStatus", status),
    ]
    refused = 0
    for turn in range(2000):
        method, message = asked[turn % len(asked)]
        data = mutated(message.SerializeToString(), dice)
        try:
            door[method].answer(data, Journey("id"))
        except DomainError as ex:
            assert STATUS[CODE[type(ex)]] < 500, (data, ex)
            refused += 1
    assert 500 < refused < 2000
