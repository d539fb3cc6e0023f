"""The messages of all services, without a connection."""

import dataclasses

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from bundle.errors import ModelNotFound
from runtime.access.gate import Access
from runtime.errors import InvalidInput, NotOffered
from runtime.grpc.health import Health
from runtime.grpc.inference import NAME, Inference
from runtime.grpc.lane import OwnThread
from runtime.grpc.reflection import Reflection
from runtime.grpc.server import services_of
from runtime.models.readiness import Readiness
from runtime.telemetry.journey import Journey
from runtime.wire.oip import inference_pb2 as pb
from tests.examples import write_bundle

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Preloading:
    def __init__(self, *missing):
        self.left = list(missing)

    def missing(self):
        return self.left


@pytest.fixture
def methods(services, config):
    write_bundle(config.model_dir / "linear" / "1")
    readiness = Readiness(services.store, services.preloader)
    inference = Inference(services, readiness, OwnThread())
    return {method.name: method for method in inference.service.methods}


def ask(methods, name, message):
    return methods[name].answer(message.SerializeToString(), Journey())


def request(**parameters):
    message = pb.ModelInferRequest(model_name="linear", id="7")
    one = message.inputs.add(name="pixels", datatype="FP32", shape=[1, 2, 2, 1])
    one.contents.fp32_contents.extend([1, 2, 3, 4])
    for name, value in parameters.items():
        message.parameters[name].bool_param = value
    return message


def test_the_methods_are_those_of_the_proto_file(methods):
    (described,) = pb.DESCRIPTOR.services_by_name.values()
    assert described.full_name == NAME
    assert [method.name for method in described.methods] == list(methods)
    for method in described.methods:
        assert (methods[method.name].refuse is not None) == method.client_streaming


def test_who_may_ask(methods):
    access = {name: method.access for name, method in methods.items()}
    assert [name for name, one in access.items() if one is Access.WRITE] == [
        "RepositoryModelLoad",
        "RepositoryModelUnload",
    ]
    assert [name for name, one in access.items() if one is Access.OPEN] == [
        "ServerLive",
        "ServerReady",
    ]


def test_an_inference(methods):
    answer = pb.ModelInferResponse.FromString(ask(methods, "ModelInfer", request()))
    assert (answer.model_name, answer.model_version, answer.id) == ("linear", "1", "7")
    assert list(answer.outputs[0].contents.fp32_contents) == [1, 2, 7]


@pytest.mark.parametrize("asks", [True, False])
def test_the_word_that_an_answer_is_the_last(methods, asks):
    message = request(triton_enable_empty_final_response=asks)
    data = ask(methods, "ModelStreamInfer", message)
    answer = pb.ModelStreamInferResponse.FromString(data).infer_response
    assert list(answer.outputs[0].contents.fp32_contents) == [1, 2, 7]
    assert ("triton_final_response" in answer.parameters) == asks


@pytest.mark.parametrize(
    ("data", "its_id"), [(request().SerializeToString(), "7"), (b"\xff\xff", "")]
)
def test_a_refusal_in_a_stream_has_the_id_of_its_request(methods, data, its_id):
    message = methods["ModelStreamInfer"].refuse(data, "it is wrong")
    answer = pb.ModelStreamInferResponse.FromString(message)
    assert answer.error_message == "it is wrong"
    assert answer.infer_response.id == its_id


@pytest.mark.parametrize("name", ["", "linear"])
def test_statistics(methods, name):
    data = ask(methods, "ModelStatistics", pb.ModelStatisticsRequest(name=name))
    (found,) = pb.ModelStatisticsResponse.FromString(data).model_stats
    assert (found.name, found.version) == ("linear", "1")


def test_a_dtype_that_triton_has_no_name_for(methods, monkeypatch):
    config = {"name": "m", "input": [{"data_type": "TYPE_COMPLEX64"}], "output": []}
    monkeypatch.setattr("runtime.grpc.inference.config_of", lambda *_: config)
    data = ask(methods, "ModelConfig", pb.ModelConfigRequest(name="linear"))
    (one,) = pb.ModelConfigResponse.FromString(data).config.input
    assert one.data_type == pb.TYPE_INVALID


@pytest.mark.parametrize("version", ["1", "01", "0000000000000000000001"])
def test_zeros_before_a_version_mean_nothing(methods, version):
    message = pb.ModelReadyRequest(name="linear", version=version)
    data = ask(methods, "ModelReady", message)
    assert pb.ModelReadyResponse.FromString(data).ready


def test_what_is_refused(methods):
    load = pb.RepositoryModelLoadRequest(model_name="linear")
    load.parameters["file:1/model.onnx"].bytes_param = b"x"
    with pytest.raises(NotOffered, match="'file:1/model.onnx' is not offered"):
        ask(methods, "RepositoryModelLoad", load)
    for word in ("Load", "Unload"):
        message = pb.RepositoryModelLoadRequest(
            model_name="linear", repository_name="other"
        )
        with pytest.raises(NotOffered, match="'repository_name' .* is not supported"):
            ask(methods, f"RepositoryModel{word}", message)
    for name in ("", " ", "../linear", "a/b"):
        for word in ("Load", "Unload"):
            message = pb.RepositoryModelLoadRequest(model_name=name)
            with pytest.raises(InvalidInput, match="is no name for a model"):
                ask(methods, f"RepositoryModel{word}", message)
    with pytest.raises(ModelNotFound, match="'x' is no version"):
        ask(methods, "ModelReady", pb.ModelReadyRequest(name="linear", version="x"))


# -- health ----------------------------------------------------------------------------


def health(services, *missing):
    services = dataclasses.replace(services, preloader=Preloading(*missing))
    return Health(Readiness(services.store, services.preloader), (NAME,)), services


def status_of(data):
    return health_pb2.HealthCheckResponse.FromString(data).status


def test_health_is_readiness(services):
    for missing, wanted in (((), SERVING), (("linear is not loaded",), NOT_SERVING)):
        its, _ = health(services, *missing)
        (check, _) = its.service.methods
        for name in ("", NAME, "grpc.health.v1.Health"):
            message = health_pb2.HealthCheckRequest(service=name)
            answer = check.answer(message.SerializeToString(), Journey())
            assert status_of(answer) == wanted
    with pytest.raises(ModelNotFound):
        check.answer(
            health_pb2.HealthCheckRequest(service="x").SerializeToString(), None
        )


def test_a_watch_tells_only_changes(services):
    its, services = health(services, "linear is not loaded")
    (_, watch) = its.service.methods
    looks = iter(["same", "ready", "same", "end"])

    def waits():
        look = next(looks)
        if look == "ready":
            services.preloader.left = []
        if look == "end":
            services.preloader.left = ["the service is ending"]
        return look != "end"

    found = [status_of(data) for data in watch.follow(b"", waits)]
    assert found == [NOT_SERVING, SERVING, NOT_SERVING]


def test_a_watch_of_an_unknown_service_goes_on(services):
    its, _ = health(services)
    (_, watch) = its.service.methods
    looks = iter([True, False])
    message = health_pb2.HealthCheckRequest(service="x").SerializeToString()
    found = [status_of(data) for data in watch.follow(message, lambda: next(looks))]
    assert found == [health_pb2.HealthCheckResponse.SERVICE_UNKNOWN]


# -- reflection ------------------------------------------------------------------------


def test_reflection_lists_all_services(services):
    known = services_of(services, OwnThread())
    (method,) = known[-1].methods
    message = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = method.answer(message.SerializeToString(), Journey())
    listed = reflection_pb2.ServerReflectionResponse.FromString(answer)
    names = {one.name for one in listed.list_services_response.service}
    assert names == {service.name for service in known}


@pytest.mark.parametrize(
    ("symbol", "package", "names"),
    [
        ("inference.GRPCInferenceService", "inference", ["GRPCInferenceService"]),
        (
            "tensorflow.serving.PredictRequest",
            "tensorflow.serving",
            ["PredictionService", "ModelService"],
        ),
        ("tensorflow.TensorProto", "tensorflow", []),
        ("grpc.health.v1.Health", "grpc.health.v1", ["Health"]),
    ],
)
def test_reflection_describes_messages_by_their_names_on_the_wire(
    symbol, package, names
):
    (method,) = Reflection(()).service.methods
    message = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    answer = method.answer(message.SerializeToString(), Journey())
    found = reflection_pb2.ServerReflectionResponse.FromString(answer)
    files = [
        FileDescriptorProto.FromString(data)
        for data in found.file_descriptor_response.file_descriptor_proto
    ]
    (one,) = [file for file in files if file.package == package]
    assert [service.name for service in one.service] == names
    # A tool makes its own pool of the files; each type must be there.
    pool = DescriptorPool()
    for file in sorted(files, key=lambda file: len(file.dependency)):
        pool.Add(file)
    assert pool.FindFileContainingSymbol(symbol).package == package


def test_a_question_that_cannot_be_read_is_refused():
    (method,) = Reflection(()).service.methods
    with pytest.raises(InvalidInput):
        method.answer(b"\xff\xff", Journey())
    answer = method.refuse(b"\xff\xff", "it is wrong")
    error = reflection_pb2.ServerReflectionResponse.FromString(answer).error_response
    assert (error.error_code, error.error_message) == (3, "it is wrong")
