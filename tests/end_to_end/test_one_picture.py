"""One picture has the same scores, bit for bit, through every door of a real server."""

import base64
import json
import struct

import numpy as np
import pytest

from runtime.programs.tensorflow_pb2 import TensorProto
from runtime.wire.oip import inference_pb2 as oip
from runtime.wire.tfaas_pb2 import Predictions, Row
from runtime.wire.tfs import serving_pb2 as tfs
from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, own_address, serving
from tests.end_to_end.grpc_client import GrpcClient, infer_request
from tests.examples import write_bundle
from tests.forms import png
from tests.runtime.graphs import FLOAT, onnx_of

SIDE, CLASSES = 28, 10
_DICE = np.random.default_rng(5)
WEIGHTS = _DICE.normal(0, 1e-3, (SIDE * SIDE, CLASSES)).astype(np.float32)
PICTURE = _DICE.integers(0, 256, (SIDE, SIDE), np.uint8)
FILE = png(PICTURE)
PIXELS = PICTURE.astype(np.float32).reshape(1, SIDE, SIDE, 1)
NESTED = PIXELS.tolist()
IN_BASE64 = {"b64": base64.b64encode(FILE).decode()}
LENGTH = "Inference-Header-Content-Length"
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def classifier() -> bytes:
    """Return a model whose scores use all bits of their numbers."""
    return onnx_of(
        [
            ("Flatten", ["pixels"], ["row"], {}),
            ("MatMul", ["row", "weights"], ["logits"], {}),
            ("Softmax", ["logits"], ["scores"], {"axis": 1}),
        ],
        [("pixels", FLOAT, ("n", SIDE, SIDE, 1))],
        [("scores", FLOAT, ("n", CLASSES))],
        weights=WEIGHTS,
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return a server with the model, and its address for gRPC."""
    folder = tmp_path_factory.mktemp("picture")
    write_bundle(
        folder / "models" / "digits" / "1",
        name="digits",
        onnx_bytes=classifier(),
        labels=tuple(map(str, range(CLASSES))),
    )
    host, port = own_address()
    with serving(f"{RUNTIME} --host {host} --grpc-port {port}", folder) as server:
        yield server, f"{host}:{port}"


def post(url, path, **given):
    reply = CLIENT.post(url + path, **given)
    assert reply.status_code == 200, reply.text
    return reply


# -- TFaaS's door ----------------------------------------------------------------------


def as_form(url):
    return post(
        url,
        "/predict/image",
        files={"image": ("x.png", FILE)},
        data={"model": "digits"},
    ).json()


def as_row(url):
    values = PIXELS.ravel().tolist()
    return post(url, "/predict/json", json={"model": "digits", "values": values}).json()


def as_named_inputs(url):
    content = {"model": "digits", "inputs": {"pixels": NESTED}}
    (scores,) = post(url, "/predict/json", json=content).json()["outputs"]["scores"]
    return scores


def as_protobuf(url):
    row = Row(model="digits", value=PIXELS.ravel())
    reply = post(url, "/predict/proto", content=row.SerializeToString())
    found = Predictions.FromString(reply.content).prediction
    return [one.probability for one in found]


# -- the Open Inference Protocol -------------------------------------------------------


def described(datatype, shape, **values):
    return {"name": "pixels", "datatype": datatype, "shape": shape, **values}


def infer(url, one, blob=b"", **parameters):
    head = json.dumps({"inputs": [one], "parameters": parameters}).encode()
    headers = {LENGTH: str(len(head))} if blob else {}
    path = "/v2/models/digits/infer"
    return post(url, path, content=head + blob, headers=headers)


def as_json_tensor(url):
    one = described("FP32", PIXELS.shape, data=NESTED)
    return infer(url, one).json()["outputs"][0]["data"]


def as_binary_tensor(url):
    blob = PIXELS.astype("<f4").tobytes()
    one = described("FP32", PIXELS.shape, parameters={"binary_data_size": len(blob)})
    reply = infer(url, one, blob, binary_data_output=True)
    return np.frombuffer(reply.content[int(reply.headers[LENGTH]) :], "<f4")


def as_raw_body(url):
    reply = post(
        url,
        "/v2/models/digits/infer",
        content=PIXELS.astype("<f4").tobytes(),
        headers={LENGTH: "0"},
    )
    return np.frombuffer(reply.content[int(reply.headers[LENGTH]) :], "<f4")


def as_encoded_picture(url):
    blob = struct.pack("<I", len(FILE)) + FILE
    one = described("BYTES", [1], parameters={"binary_data_size": len(blob)})
    return infer(url, one, blob).json()["outputs"][0]["data"]


def as_encoded_picture_in_json(url):
    one = described("BYTES", [1], data=[IN_BASE64["b64"]])
    return infer(url, one).json()["outputs"][0]["data"]


# -- TensorFlow Serving ----------------------------------------------------------------


def ask_tfs(url, **content):
    return post(url, "/v1/models/digits:predict", json=content).json()


def as_instances(url):
    return ask_tfs(url, instances=NESTED)["predictions"][0]


def as_columns(url):
    return ask_tfs(url, inputs={"pixels": NESTED})["outputs"][0]


def as_instance_in_base64(url):
    return ask_tfs(url, instances=[IN_BASE64])["predictions"][0]


def as_classes(url):
    examples = [{"pixels": PIXELS.ravel().tolist()}]
    content = {"examples": examples}
    reply = post(url, "/v1/models/digits:classify", json=content).json()
    return [score for _, score in reply["results"][0]]


# -- gRPC ------------------------------------------------------------------------------


def as_raw_message(client):
    answer = client.ask("ModelInfer", infer_request("digits", pixels=PIXELS))
    return np.frombuffer(answer.raw_output_contents[0], "<f4")


def as_typed_message(client):
    message = oip.ModelInferRequest(model_name="digits")
    one = message.inputs.add(name="pixels", datatype="FP32", shape=PIXELS.shape)
    one.contents.fp32_contents.extend(PIXELS.ravel())
    answer = client.ask("ModelInfer", message)
    return answer.outputs[0].contents.fp32_contents


def as_picture_in_a_message(client):
    message = oip.ModelInferRequest(model_name="digits")
    one = message.inputs.add(name="pixels", datatype="BYTES", shape=[1])
    one.contents.bytes_contents.append(FILE)
    answer = client.ask("ModelInfer", message)
    return answer.outputs[0].contents.fp32_contents


def as_a_stream(client):
    (answer,) = client.stream(iter([infer_request("digits", pixels=PIXELS)]))
    return np.frombuffer(answer.infer_response.raw_output_contents[0], "<f4")


def ask_tfs_grpc(client, tensor):
    message = tfs.PredictRequest(model_spec={"name": "digits"})
    message.inputs["pixels"].CopyFrom(tensor)
    data = client.channel.unary_unary(PREDICT)(
        message.SerializeToString(), timeout=PATIENCE
    )
    return tfs.PredictResponse.FromString(data).outputs["scores"].float_val


def tensor_of(dtype, shape, **values):
    dims = [{"size": side} for side in shape]
    return TensorProto(dtype=dtype, tensor_shape={"dim": dims}, **values)


def as_tensor_content(client):
    content = PIXELS.astype("<f4").tobytes()
    tensor = tensor_of("DT_FLOAT", PIXELS.shape, tensor_content=content)
    return ask_tfs_grpc(client, tensor)


def as_tensor_values(client):
    values = PIXELS.ravel()
    return ask_tfs_grpc(client, tensor_of("DT_FLOAT", PIXELS.shape, float_val=values))


def as_tensor_of_texts(client):
    return ask_tfs_grpc(client, tensor_of("DT_STRING", [1], string_val=[FILE]))


OVER_HTTP = (
    *(as_form, as_row, as_named_inputs, as_protobuf),
    *(as_json_tensor, as_binary_tensor, as_raw_body),
    *(as_encoded_picture, as_encoded_picture_in_json),
    *(as_instances, as_columns, as_instance_in_base64, as_classes),
)
OVER_GRPC = (
    *(as_raw_message, as_typed_message, as_picture_in_a_message, as_a_stream),
    *(as_tensor_content, as_tensor_values, as_tensor_of_texts),
)


def test_one_picture_through_all_doors(served):
    server, address = served
    found = {ask.__name__: ask(server.url) for ask in OVER_HTTP}
    with GrpcClient(address) as client:
        found |= {ask.__name__: ask(client) for ask in OVER_GRPC}
    # JSON has each number in the fewest digits that mean no other float32.
    bits = {name: np.array(scores, np.float32) for name, scores in found.items()}
    first = bits["as_form"]
    logits = PIXELS.ravel().astype(np.float64) @ WEIGHTS.astype(np.float64)
    wanted = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(first, wanted, rtol=1e-4)
    others = [name for name, one in bits.items() if one.tobytes() != first.tobytes()]
    assert others == []
