"""Ask a server with TensorFlow Serving's own messages and stubs, and print the answers.

It runs in a process of its own, because the stubs need TensorFlow, whose messages and
those of other tests do not go together.
"""

import json
import sys

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow_serving.apis import get_model_metadata_pb2 as metadata
from tensorflow_serving.apis import get_model_status_pb2 as status
from tensorflow_serving.apis import model_pb2 as model
from tensorflow_serving.apis import model_service_pb2_grpc as model_service
from tensorflow_serving.apis import predict_pb2 as predict
from tensorflow_serving.apis import prediction_service_pb2_grpc as prediction_service
from tensorflow_serving.apis import status_pb2 as status_proto

SECONDS = 100

address, picture = sys.argv[1], bytes.fromhex(sys.argv[2])
channel = grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
predictions = prediction_service.PredictionServiceStub(channel)
models = model_service.ModelServiceStub(channel)


def request(name, *, version=None, label=None, signature="", wanted=(), **inputs):
    message = predict.PredictRequest()
    message.model_spec.name = name
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    if label is not None:
        message.model_spec.version_label = label
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(value)
    message.output_filter.extend(wanted)
    return message


def answered(message):
    reply = predictions.Predict(message, timeout=SECONDS)
    return {
        "outputs": {
            name: [str(array.dtype), texts(array).tolist()]
            for name, tensor in reply.outputs.items()
            for array in [tf.make_ndarray(tensor)]
        },
        "spec": [
            reply.model_spec.name,
            reply.model_spec.version.value,
            reply.model_spec.signature_name,
        ],
    }


def texts(array):
    if array.dtype != object:
        return array
    return np.array([v.decode() for v in array.ravel()], object).reshape(array.shape)


def refused(call, message, **given):
    try:
        call(message, timeout=SECONDS, **given)
    except grpc.RpcError as ex:
        return [ex.code().name, ex.details()]
    return ["OK", ""]


def fields():
    """Return the number and the type of each field that the messages have."""
    found = {}
    files = [predict, metadata, status, model, status_proto]
    messages = [
        m for one in files for m in one.DESCRIPTOR.message_types_by_name.values()
    ]
    for message in messages:  # nested ones are appended meanwhile
        messages.extend(message.nested_types)
        for one in message.fields:
            found[one.full_name] = [one.number, one.type, one.is_repeated]
    return found


def spec_of(kind, name, **fields):
    message = kind()
    message.model_spec.name = name
    if "version" in fields:
        message.model_spec.version.value = fields["version"]
    return message


x = tf.make_tensor_proto(np.array([1, 2, 5], np.float32))
raw = predictions.Predict(request("half_plus_two", x=x), timeout=SECONDS)
wide = tf.make_tensor_proto(np.zeros(9_000_000, np.float32))
a = tf.make_tensor_proto(np.array([[1, 2]], np.float32))
b = tf.make_tensor_proto(np.array([[3, 4]], np.int64))

found = metadata.GetModelMetadataRequest(metadata_field=["signature_def"])
found.model_spec.name = "half_plus_two"
reply = predictions.GetModelMetadata(found, timeout=SECONDS)
signatures = metadata.SignatureDefMap()
assert reply.metadata["signature_def"].Unpack(signatures)
no_field = metadata.GetModelMetadataRequest()
no_field.model_spec.name = "half_plus_two"
odd_field = metadata.GetModelMetadataRequest(metadata_field=["odd"])
odd_field.model_spec.name = "half_plus_two"

print(
    json.dumps(
        {
            "fields": fields(),
            "states": dict(status.ModelVersionStatus.State.items()),
            "row": answered(request("half_plus_two", x=x)),
            # Many clients read the field itself.
            "float_val": list(raw.outputs["y"].float_val),
            "one value for all": answered(
                request("half_plus_two", x=tf.make_tensor_proto(1.0, shape=[3]))
            ),
            "a version": answered(
                request("half_plus_two", version=123, signature="serving_default", x=x)
            ),
            "a label": answered(request("half_plus_two", label="canary", x=x)),
            "several": answered(request("pair", a=a, b=b)),
            "one of several": answered(request("pair", wanted=["less"], a=a, b=b)),
            "texts": answered(
                request(
                    "texts",
                    text=tf.make_tensor_proto([b"a", "é".encode()]),
                    flag=tf.make_tensor_proto([True, False]),
                )
            ),
            "picture": answered(
                request("linear", pixels=tf.make_tensor_proto([picture, picture]))
            ),
            "status": MessageToDict(
                models.GetModelStatus(
                    spec_of(status.GetModelStatusRequest, "half_plus_two"),
                    timeout=SECONDS,
                ),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            ),
            "metadata": MessageToDict(signatures, preserving_proto_field_name=True),
            "metadata of": [reply.model_spec.name, reply.model_spec.version.value],
            "refused": {
                "no model": refused(predictions.Predict, request("half", x=x)),
                "no version": refused(
                    predictions.Predict, request("half_plus_two", version=9, x=x)
                ),
                "no label": refused(
                    predictions.Predict, request("half_plus_two", label="old", x=x)
                ),
                "no spec": refused(predictions.Predict, predict.PredictRequest()),
                "no signature": refused(
                    predictions.Predict,
                    request("half_plus_two", signature="other", x=x),
                ),
                "no input": refused(predictions.Predict, request("half_plus_two")),
                "another input": refused(
                    predictions.Predict, request("half_plus_two", z=x)
                ),
                "another type": refused(
                    predictions.Predict, request("half_plus_two", x=b)
                ),
                "another shape": refused(
                    predictions.Predict, request("half_plus_two", x=a)
                ),
                "no output": refused(
                    predictions.Predict, request("half_plus_two", wanted=["z"], x=x)
                ),
                "an output twice": refused(
                    predictions.Predict,
                    request("half_plus_two", wanted=["y", "y"], x=x),
                ),
                "a message above the limit": refused(
                    predictions.Predict, request("half_plus_two", x=wide)
                ),
                "no metadata": refused(predictions.GetModelMetadata, no_field),
                "odd metadata": refused(predictions.GetModelMetadata, odd_field),
                "no states": refused(
                    models.GetModelStatus, spec_of(status.GetModelStatusRequest, "half")
                ),
                "no state": refused(
                    models.GetModelStatus,
                    spec_of(status.GetModelStatusRequest, "half_plus_two", version=9),
                ),
                "damaged": refused(
                    channel.unary_unary(
                        "/tensorflow.serving.PredictionService/Predict",
                        request_serializer=bytes,
                    ),
                    b"\xff" * 20,
                ),
            },
        }
    )
)
