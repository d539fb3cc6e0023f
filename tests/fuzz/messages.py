"""The fuzzer of gRPC: a process holds the services and sends damaged messages to them.

``python -m tests.fuzz.messages COUNT SEED`` prints the first wrong answer, and how to
make it again, and ends with 1. A crash ends the process itself.
"""

from __future__ import annotations

import faulthandler
import io
import logging
import random
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from bundle.store_reader import UNLOADED
from runtime.access.gate import Gate
from runtime.config import Config
from runtime.grpc.calls import Calls
from runtime.grpc.lane import OwnThread
from runtime.grpc.methods import Method
from runtime.grpc.places import Places
from runtime.grpc.server import services_of
from runtime.services import create_services
from runtime.wire.oip import inference_pb2 as pb
from runtime.wire.tfs import serving_pb2 as tfs
from runtime.wire.tfs.tensors import write_tensor
from tests.forms import png
from tests.fuzz.inputs import MODELS, mutated, write_store
from tests.fuzz.run import HANG_SECONDS, ROOT, Wrong
from tests.runtime.grpc.fakes import Aborted, Context

# A client may get these for what it sends, and no others.
ALLOWED = {
    StatusCode.INVALID_ARGUMENT,
    StatusCode.NOT_FOUND,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.FAILED_PRECONDITION,
    StatusCode.UNIMPLEMENTED,
    StatusCode.DEADLINE_EXCEEDED,
}
_PICTURE = png([[1, 2], [3, 4]])
_FIELDS = tuple(pb.InferTensorContents.DESCRIPTOR.fields_by_name)
_DATATYPES = ("FP32", "INT64", "BOOL", "BYTES", "FP16", "UINT8", "", "fp32")


def whole_messages() -> dict[str, list[bytes]]:
    """Return whole messages for each method, by its name."""
    named = pb.ModelConfigRequest(name="linear", version="1")
    load = pb.RepositoryModelLoadRequest(model_name="pair")
    infers = [_raw(), _typed(), _picture(), _texts(), _pair()]
    found: dict[str, list[Any]] = {
        "ServerLive": [pb.ServerLiveRequest()],
        "ServerReady": [pb.ServerReadyRequest()],
        "ServerMetadata": [pb.ServerMetadataRequest()],
        "ModelReady": [named],
        "ModelMetadata": [named],
        "ModelConfig": [named],
        "ModelStatistics": [named, pb.ModelStatisticsRequest()],
        "ModelInfer": infers,
        "ModelStreamInfer": infers,
        "RepositoryIndex": [pb.RepositoryIndexRequest(ready=True)],
        "RepositoryModelLoad": [load],
        "RepositoryModelUnload": [load],
        "Predict": _predictions(),
        "GetModelMetadata": [
            tfs.GetModelMetadataRequest(
                model_spec={"name": "pair", "version": {"value": 1}},
                metadata_field=["signature_def"],
            )
        ],
        "GetModelStatus": [
            tfs.GetModelStatusRequest(model_spec={"name": "texts"}),
            tfs.GetModelStatusRequest(
                model_spec={"name": "linear", "version_label": "stable"}
            ),
        ],
        "Check": [health_pb2.HealthCheckRequest(service="inference")],
        "ServerReflectionInfo": [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_by_filename="x.proto"),
            reflection_pb2.ServerReflectionRequest(
                file_containing_symbol="inference.GRPCInferenceService"
            ),
        ],
    }
    return {
        name: [message.SerializeToString() for message in messages]
        for name, messages in found.items()
    }


def _raw() -> Any:
    message = pb.ModelInferRequest(model_name="linear", model_version="1", id="7")
    message.inputs.add(name="pixels", datatype="FP32", shape=[1, 2, 2, 1])
    message.raw_input_contents.append(np.arange(4, dtype="<f4").tobytes())
    message.outputs.add(name="scores").parameters["classification"].int64_param = 2
    message.parameters["timeout"].int64_param = 10**9
    return message


def _typed() -> Any:
    message = pb.ModelInferRequest(model_name="linear")
    one = message.inputs.add(name="pixels", datatype="FP32", shape=[1, 2, 2, 1])
    one.contents.fp32_contents.extend([1, 2, 3, 4])
    return message


def _picture() -> Any:
    message = pb.ModelInferRequest(model_name="linear")
    one = message.inputs.add(name="pixels", datatype="BYTES", shape=[1])
    one.contents.bytes_contents.append(_PICTURE)
    return message


def _texts() -> Any:
    message = pb.ModelInferRequest(model_name="texts")
    message.inputs.add(name="text", datatype="BYTES", shape=[1])
    message.inputs.add(name="flag", datatype="BOOL", shape=[1])
    message.raw_input_contents.extend([b"\1\0\0\0a", b"\1"])
    return message


def _pair() -> Any:
    message = pb.ModelInferRequest(model_name="pair")
    message.inputs.add(name="a", datatype="FP32", shape=[1, 2])
    message.inputs.add(name="b", datatype="INT64", shape=[1, 2])
    message.raw_input_contents.extend([bytes(8), bytes(16)])
    return message


def _predictions() -> list[Any]:
    """Return messages of TensorFlow Serving."""
    models = {
        "linear": {"pixels": np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)},
        "pair": {
            "a": np.zeros((1, 2), np.float32),
            "b": np.zeros((1, 2), np.int64),
        },
        "texts": {"text": np.array(["a"], object), "flag": np.array([True])},
    }
    messages = []
    for name, inputs in models.items():
        message = tfs.PredictRequest(model_spec={"name": name})
        for key, array in inputs.items():
            write_tensor(key, array, message.inputs[key])
        messages.append(message)
    raw = tfs.PredictRequest(model_spec={"name": "linear"}, output_filter=["scores"])
    raw.inputs["pixels"].CopyFrom(messages[0].inputs["pixels"])
    raw.inputs["pixels"].ClearField("float_val")
    raw.inputs["pixels"].tensor_content = bytes(16)
    picture = tfs.PredictRequest(model_spec={"name": "linear"})
    encoded = np.array([_PICTURE], object)
    write_tensor("pixels", encoded, picture.inputs["pixels"])
    return [*messages, raw, picture]


def odd_message(data: bytes, dice: random.Random) -> bytes:
    """Return a message that can be read, and has other fields than the whole one."""
    message = pb.ModelInferRequest.FromString(data)
    for _ in range(dice.choice((1, 2, 4))):
        one = dice.choice(message.inputs) if message.inputs else message.inputs.add()
        match dice.randrange(9):
            case 0:
                one.shape[:] = [_side(dice) for _ in range(dice.choice((0, 1, 4, 40)))]
            case 1:
                one.datatype = dice.choice(_DATATYPES)
            case 2:
                field = dice.choice(_FIELDS)
                value = b"a" if field == "bytes_contents" else dice.choice((0, 1))
                getattr(one.contents, field).extend([value] * dice.choice((1, 3, 4)))
            case 3 if message.raw_input_contents:
                place = dice.randrange(len(message.raw_input_contents))
                raw = message.raw_input_contents[place]
                message.raw_input_contents[place] = mutated(raw, dice)
            case 4:
                del message.raw_input_contents[dice.randrange(3) :]
            case 5:
                message.raw_input_contents.append(dice.randbytes(dice.choice((0, 16))))
            case 6:
                message.inputs.add(name=dice.choice(("", "pixels", "a", "\0")))
            case 7:
                output = message.outputs.add(name=dice.choice(("", "scores", "sum")))
                output.parameters["classification"].int64_param = _side(dice)
            case _:
                name = dice.choice(("timeout", "priority", "shared_memory_region"))
                message.parameters[name].int64_param = _side(dice)
    return message.SerializeToString()


def _side(dice: random.Random) -> int:
    return dice.choice((0, 1, 2, 4, -1, 1 << 31, (1 << 63) - 1, -(1 << 63)))


class Fuzzer:
    """A client of the services, which keeps their store filled.

    Args:
        folder: the place of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models = folder / "models"
        config = Config(
            model_dir=self._models,
            provider="cpu",
            onnx="require",
            export_on_upload="off",
            max_body_bytes=100_000,
        )
        self._log = io.StringIO()
        logging.basicConfig(stream=self._log, level=logging.ERROR, force=True)
        write_store(self._models)
        calls = Calls(Gate(), None, 0, Places(streams=1, open_calls=1))
        self._handlers: dict[str, Callable[..., Any]] = {}
        for service in services_of(create_services(config), OwnThread()):
            for method in service.methods:
                if isinstance(method, Method):
                    handler = calls.handler_of(service.name, method)
                    self._handlers[method.name] = (
                        handler.stream_unary or handler.stream_stream
                    )
        self.codes: Counter[str] = Counter()

    @property
    def names(self) -> set[str]:
        """The names of all methods."""
        return set(self._handlers)

    def ask(self, name: str, data: bytes) -> None:
        """Send a message, and check its answer.

        Raises:
            Wrong: the answer blames the server, or tells secrets of it.
        """
        self._log.seek(0)
        self._log.truncate()
        context = Context().send(data, None)
        try:
            answer = self._handlers[name](context, context)
            told = answer if isinstance(answer, bytes) else b"".join(answer)
            self.codes["OK"] += 1
        except Aborted as ex:
            self.codes[ex.code.name] += 1
            told = ex.details.encode()
            if ex.code not in ALLOWED:
                raise Wrong(f"{ex}\n{self._log.getvalue()[-4000:]}") from None
        # A stream has its refusals in messages.
        if self._log.getvalue():
            raise Wrong(f"{told!r}\n{self._log.getvalue()[-4000:]}")
        for secret in ("Traceback (most", str(self._folder), str(ROOT), sys.prefix):
            if secret.encode() in told:
                raise Wrong(f"{secret!r} is in the answer {told[:500]!r}")

    def refill(self) -> None:
        """Restore the models if a message unloaded one."""
        if any((self._models / name / UNLOADED).exists() for name in MODELS):
            shutil.rmtree(self._models, ignore_errors=True)
            write_store(self._models)


def main(count: int, seed: int) -> int:
    """Send ``count`` damaged messages; return 1 if an answer was wrong, else 0."""
    dice = random.Random(seed)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as name:
        fuzzer = Fuzzer(Path(name))
        whole = whole_messages()
        assert fuzzer.names == whole.keys(), "a method has no whole message"
        infers = whole["ModelInfer"]
        for data in infers:
            fuzzer.ask("ModelInfer", data)
        assert fuzzer.codes == {"OK": len(infers)}, fuzzer.codes
        for nth in range(count):
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            method = dice.choice(("ModelInfer", dice.choice(list(whole))))
            data = dice.choice(whole[method])
            if "Infer" in method and dice.random() < 0.5:
                data = odd_message(data, dice)
            else:
                data = mutated(data, dice)
            fuzzer.refill()
            try:
                fuzzer.ask(method, data)
            except Exception as ex:
                print(f"seed {seed}, message {nth}: {method} {data!r}\n{ex!r}\n{ex}")
                return 1
        faulthandler.cancel_dump_traceback_later()
    counts = ", ".join(f"{n} of {code}" for code, n in sorted(fuzzer.codes.items()))
    print(f"seed {seed}: {count} messages: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
