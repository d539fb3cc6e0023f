"""Models with any inputs and outputs answer over gRPC as the engine alone."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.grpc.inference import Inference
from runtime.grpc.lane import OwnThread
from runtime.models.readiness import Readiness
from runtime.telemetry.journey import Journey
from runtime.wire.oip import inference_pb2 as pb
from runtime.wire.oip.datatypes import DTYPES, datatype_of
from tests.examples import write_bundle
from tests.runtime.http.resources.test_v2_random import NUMBER, arrays, model_of

# The specification tells which field holds the values of which type.
FIELDS = {
    "BOOL": "bool_contents",
    "BYTES": "bytes_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
}


@pytest.fixture
def inference(services):
    return Inference(
        services, Readiness(services.store, services.preloader), OwnThread()
    )


def texts_in(raw):
    """Return the texts in raw bytes, each of which has its length before it."""
    texts, place = [], 0
    while place < len(raw):
        end = place + 4 + int.from_bytes(raw[place : place + 4], "little")
        texts.append(raw[place + 4 : end].decode())
        place = end
    return texts


def blob_of(array):
    if array.dtype.kind != "O":
        return array.tobytes()
    texts = [text.encode() for text in array.ravel()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def asked(name, inputs, is_raw):
    message = pb.ModelInferRequest(model_name=name)
    for key, array in inputs.items():
        datatype = datatype_of(array.dtype)
        one = message.inputs.add(name=key, datatype=datatype, shape=array.shape)
        if is_raw:
            message.raw_input_contents.append(blob_of(array))
            continue
        values = array.ravel().tolist()
        if datatype == "BYTES":
            values = [value.encode() for value in values]
        getattr(one.contents, FIELDS[datatype]).extend(values)
    return message


def outputs_of(answer):
    """Return the values of each output, and its shape."""
    for place, one in enumerate(answer.outputs):
        if answer.raw_output_contents:
            raw = answer.raw_output_contents[place]
            values = (
                texts_in(raw)
                if one.datatype == "BYTES"
                else np.frombuffer(raw, DTYPES[one.datatype]).tolist()
            )
        else:
            values = list(getattr(one.contents, FIELDS[one.datatype]))
            if one.datatype == "BYTES":
                values = [value.decode() for value in values]
        yield one.name, values, tuple(one.shape), one.datatype


@pytest.mark.parametrize("is_raw", [False, True])
@settings(deadline=None, max_examples=25)
@given(given=st.lists(arrays(), min_size=1, max_size=4))
def test_any_model_answers_as_its_engine_does(inference, config, is_raw, given):
    if not is_raw:  # no field holds values of FP16
        given = [
            array.astype(np.float32) if array.dtype == np.float16 else array
            for array in given
        ]
    inputs = {f"x{number}": array for number, array in enumerate(given)}
    name, content = f"random{next(NUMBER)}", model_of(inputs)
    params = {"img_channels": 0, "labels": ""}
    folder = config.model_dir / name / "1"
    write_bundle(folder, name=name, onnx_bytes=content, params=params, labels=())
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    expected = zip(session.get_outputs(), session.run(None, inputs), strict=True)
    methods = {method.name: method for method in inference.service.methods}
    data = asked(name, inputs, is_raw).SerializeToString()
    answer = pb.ModelInferResponse.FromString(
        methods["ModelInfer"].answer(data, Journey())
    )
    assert bool(answer.raw_output_contents) == is_raw
    for found, (output, array) in zip(outputs_of(answer), expected, strict=True):
        array = np.asarray(array)
        assert found == (
            output.name,
            array.ravel().tolist(),
            array.shape,
            datatype_of(array.dtype),
        )
