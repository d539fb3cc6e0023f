"""Ask a server with Triton's HTTP client, and print the answers as JSON.

This runs in the environment of Triton's clients, and imports nothing of this project.
Its arguments are the server's address and a picture as base64.
"""

import asyncio
import base64
import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException

PIXELS = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32).reshape(2, 2, 2, 1)


def tensor(name, array, datatype, **given):
    """Make an input; without ``binary_data=False`` it is binary."""
    one = http.InferInput(name, list(array.shape), datatype)
    one.set_data_from_numpy(array, **given)
    return one


def pixels(**given):
    return [tensor("pixels", PIXELS, "FP32", **given)]


def outputs_of(result):
    """Return all outputs of a result: their numbers, and the reply's own words."""
    response = result.get_response()
    return {
        "id": response.get("id"),
        "model": [response["model_name"], response["model_version"]],
        "described": {one["name"]: one for one in response["outputs"]},
        "outputs": {
            one["name"]: [
                value.decode() if isinstance(value, bytes) else value
                for value in result.as_numpy(one["name"]).ravel().tolist()
            ]
            for one in response["outputs"]
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
    scores = http.InferRequestedOutput
    numbers = np.array([[1.5, -2], [3, 4]], np.float32)
    whole = np.array([[1, 2], [3, 2**40]], np.int64)
    texts = np.array(["a", "é\0b"], object)
    flags = np.array([True, False])
    found = {
        "binary": client.infer("linear", pixels(), request_id="7"),
        "json": client.infer(
            "linear",
            pixels(binary_data=False),
            outputs=[scores("scores", binary_data=False)],
        ),
        "mixed": client.infer(
            "linear", pixels(), outputs=[scores("scores", binary_data=False)]
        ),
        "version": client.infer("linear", pixels(), model_version="1"),
        "classes": client.infer(
            "linear", pixels(), outputs=[scores("scores", class_count=2)]
        ),
        "classes in JSON": client.infer(
            "linear",
            pixels(),
            outputs=[scores("scores", binary_data=False, class_count=9)],
        ),
        "pair": client.infer(
            "pair", [tensor("a", numbers, "FP32"), tensor("b", whole, "INT64")]
        ),
        "texts": client.infer(
            "texts", [tensor("text", texts, "BYTES"), tensor("flag", flags, "BOOL")]
        ),
        "texts in JSON": client.infer(
            "texts",
            [
                tensor("text", texts, "BYTES", binary_data=False),
                tensor("flag", flags, "BOOL", binary_data=False),
            ],
        ),
        "picture": client.infer(
            "linear", [tensor("pixels", np.array([picture] * 2, object), "BYTES")]
        ),
        "in time": client.infer("linear", pixels(), timeout=60_000_000, priority=1),
    }
    many = np.repeat(PIXELS, 200, axis=0)
    for algorithm in ("gzip", "deflate"):
        found[algorithm] = client.infer(
            "linear",
            [tensor("pixels", many, "FP32")],
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
    waiting = [client.async_infer("linear", pixels()) for _ in range(8)]
    found |= {f"async {n}": one.get_result() for n, one in enumerate(waiting)}
    return {name: outputs_of(result) for name, result in found.items()}


async def infers_with_asyncio(address):
    async with aio.InferenceServerClient(address) as client:
        assert await client.is_server_ready()
        assert await client.is_model_ready("linear")
        return outputs_of(await client.infer("linear", pixels()))


def refusals(client):
    wrong = tensor("pixels", PIXELS.astype(np.float64), "FP64")
    return {
        "no model": refusal_of(lambda: client.infer("other", pixels())),
        "no version": refusal_of(lambda: client.infer("linear", pixels(), "9")),
        "datatype": refusal_of(lambda: client.infer("linear", [wrong])),
        "output": refusal_of(
            lambda: client.infer(
                "linear", pixels(), outputs=[http.InferRequestedOutput("other")]
            )
        ),
        "config": refusal_of(lambda: client.load_model("linear", config="{}")),
        "files": refusal_of(
            lambda: client.load_model(
                "linear", config="{}", files={"file:1/model.onnx": b"x"}
            )
        ),
    }


def repository(client):
    """Unload and load a model, and tell its state after each."""
    states = []
    for change in (lambda _: None, client.unload_model, client.load_model):
        change("pair")
        index = client.get_model_repository_index()
        states.append(
            {
                "index": [one["state"] for one in index if one["name"] == "pair"],
                "ready": client.is_model_ready("pair"),
            }
        )
    return states


def main():
    url, picture = sys.argv[1], base64.b64decode(sys.argv[2])
    address = url.partition("://")[2]
    client = http.InferenceServerClient(address, concurrency=4)
    answers = {
        "server": client.get_server_metadata(),
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "ready models": [client.is_model_ready(n) for n in ("linear", "other")],
        "metadata": client.get_model_metadata("linear"),
        "metadata of a version": client.get_model_metadata("linear", "1"),
        "config": client.get_model_config("linear"),
        "infer": infers(client, picture),
        "refused": refusals(client),
        "repository": repository(client),
        "asyncio": asyncio.run(infers_with_asyncio(address)),
        "statistics": client.get_inference_statistics("linear"),
    }
    client.close()
    json.dump(answers, sys.stdout)


main()
