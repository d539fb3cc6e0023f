"""Ask a server with Triton's gRPC client, and print the answers as JSON.

This runs in the environment of Triton's clients, and imports nothing of this project.
Its arguments are the server's address for gRPC and a picture as base64.
"""

import asyncio
import base64
import json
import queue
import sys

import numpy as np
import tritonclient.grpc as grpc
from tritonclient.grpc import aio, model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

PIXELS = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32).reshape(2, 2, 2, 1)
# A call that takes longer hangs.
SECONDS = 120


def tensor(name, array, datatype):
    one = grpc.InferInput(name, list(array.shape), datatype)
    one.set_data_from_numpy(array)
    return one


def pixels():
    return [tensor("pixels", PIXELS, "FP32")]


def outputs_of(result):
    """Return all outputs of a result: their numbers, and the reply's own words."""
    response = result.get_response()
    return {
        "id": response.id,
        "model": [response.model_name, response.model_version],
        "final": response.parameters["triton_final_response"].bool_param,
        "described": {
            one.name: [one.datatype, list(one.shape)] for one in response.outputs
        },
        "outputs": {
            one.name: [
                value.decode() if isinstance(value, bytes) else value
                for value in result.as_numpy(one.name).ravel().tolist()
            ]
            for one in response.outputs
        },
    }


def refusal_of(call):
    """Return the status and the words of the error that a call raises."""
    try:
        call()
    except InferenceServerException as ex:
        return [ex.status(), ex.message()]
    return None


def infers(client, picture):
    scores = grpc.InferRequestedOutput
    numbers = np.array([[1.5, -2], [3, 4]], np.float32)
    whole = np.array([[1, 2], [3, 2**40]], np.int64)
    texts = np.array(["a", "é\0b"], object)
    flags = np.array([True, False])
    found = {
        "plain": client.infer("linear", pixels(), request_id="7"),
        "named": client.infer("linear", pixels(), outputs=[scores("scores")]),
        "version": client.infer("linear", pixels(), model_version="1"),
        "classes": client.infer(
            "linear", pixels(), outputs=[scores("scores", class_count=2)]
        ),
        "pair": client.infer(
            "pair", [tensor("a", numbers, "FP32"), tensor("b", whole, "INT64")]
        ),
        "texts": client.infer(
            "texts", [tensor("text", texts, "BYTES"), tensor("flag", flags, "BOOL")]
        ),
        "picture": client.infer(
            "linear", [tensor("pixels", np.array([picture] * 2, object), "BYTES")]
        ),
        "in time": client.infer(
            "linear", pixels(), timeout=60_000_000, client_timeout=SECONDS, priority=1
        ),
    }
    many = np.repeat(PIXELS, 200, axis=0)
    for algorithm in ("gzip", "deflate"):
        found[algorithm] = client.infer(
            "linear",
            [tensor("pixels", many, "FP32")],
            compression_algorithm=algorithm,
        )
    answers = queue.Queue()
    for _ in range(8):
        client.async_infer(
            "linear", pixels(), lambda result, error: answers.put(error or result)
        )
    found |= {f"async {n}": answers.get(timeout=SECONDS) for n in range(8)}
    return {name: outputs_of(result) for name, result in found.items()}


def stream(client):
    """Send requests through one stream, one of them wrong; return the answers."""
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put(error or result))
    for number, model in enumerate(["linear", "other", "linear"]):
        client.async_stream_infer(
            model,
            pixels(),
            request_id=str(number),
            enable_empty_final_response=number == 2,
        )
    found = [answers.get(timeout=SECONDS) for _ in range(3)]
    client.stop_stream()
    return [
        one.message() if isinstance(one, InferenceServerException) else outputs_of(one)
        for one in found
    ]


async def infers_with_asyncio(address):
    async with aio.InferenceServerClient(address) as client:
        assert await client.is_server_ready()
        assert await client.is_model_ready("linear")
        found = [outputs_of(await client.infer("linear", pixels()))]

        async def requests():
            for _ in range(2):
                yield {"model_name": "linear", "inputs": pixels()}

        async for result, error in client.stream_infer(requests()):
            assert error is None
            found.append(outputs_of(result))
        return found


def refusals(client):
    wrong = tensor("pixels", PIXELS.astype(np.float64), "FP64")
    short = tensor("pixels", PIXELS, "FP32")
    short.set_shape([2, 2, 2, 2])
    return {
        "no model": refusal_of(lambda: client.infer("other", pixels())),
        "no version": refusal_of(lambda: client.infer("linear", pixels(), "9")),
        "no number": refusal_of(lambda: client.infer("linear", pixels(), "x")),
        "datatype": refusal_of(lambda: client.infer("linear", [wrong])),
        "bytes": refusal_of(lambda: client.infer("linear", [short])),
        "output": refusal_of(
            lambda: client.infer(
                "linear", pixels(), outputs=[grpc.InferRequestedOutput("other")]
            )
        ),
        "config": refusal_of(lambda: client.load_model("linear", config="{}")),
        "files": refusal_of(
            lambda: client.load_model(
                "linear", config="{}", files={"file:1/model.onnx": b"x"}
            )
        ),
        "load": refusal_of(lambda: client.load_model("other")),
        "ready": refusal_of(lambda: client.is_model_ready("linear", "x")),
        "statistics": refusal_of(lambda: client.get_inference_statistics("other")),
        "its time": refusal_of(lambda: client.infer("linear", pixels(), timeout=1)),
        "shared memory": refusal_of(client.get_system_shared_memory_status),
    }


def repository(client):
    """Unload and load a model, and tell its state after each."""
    states = []
    for change in (lambda _: None, client.unload_model, client.load_model):
        change("pair")
        index = client.get_model_repository_index().models
        states.append(
            {
                "index": [one.state for one in index if one.name == "pair"],
                "ready": client.is_model_ready("pair"),
            }
        )
    return states


def fields():
    """Return the number and the type of each field that Triton's messages have."""
    found = {}
    files = (service_pb2.DESCRIPTOR, model_config_pb2.DESCRIPTOR)
    messages = [m for file in files for m in file.message_types_by_name.values()]
    for message in messages:  # nested ones are appended meanwhile
        messages.extend(message.nested_types)
        for one in message.fields:
            found[one.full_name] = [one.number, one.type, one.is_repeated]
    return found


def main():
    address, picture = sys.argv[1], base64.b64decode(sys.argv[2])
    client = grpc.InferenceServerClient(address)
    as_json = {"as_json": True}
    answers = {
        "fields": fields(),
        "server": client.get_server_metadata(**as_json),
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "ready models": [client.is_model_ready(n) for n in ("linear", "other")],
        "metadata": client.get_model_metadata("linear", **as_json),
        "metadata of a version": client.get_model_metadata("linear", "1", **as_json),
        "config": client.get_model_config("linear", **as_json),
        "infer": infers(client, picture),
        "stream": stream(client),
        "refused": refusals(client),
        "repository": repository(client),
        "asyncio": asyncio.run(infers_with_asyncio(address)),
        "statistics": client.get_inference_statistics("linear", **as_json),
        "statistics of all": len(client.get_inference_statistics().model_stats),
    }
    client.close()
    json.dump(answers, sys.stdout)


main()
