"""gRPC of real servers, asked by grpcio's own client."""

import hashlib
import itertools
import json
import queue
import signal
import socket
import subprocess
import sys
import threading

import grpc
import httpx
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from runtime.grpc.server import CONNECTIONS, STREAMS
from runtime.wire.oip import inference_pb2 as pb
from tests.end_to_end.conftest import (
    CLIENT,
    PATIENCE,
    RUNTIME,
    log_with,
    own_address,
    run,
    serving,
)
from tests.end_to_end.grpc_client import SERVICE, GrpcClient, infer_request
from tests.examples import WEIGHTS, slow_onnx, write_bundle

PIXELS = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
SCORES = (PIXELS.reshape(1, 4) @ WEIGHTS).ravel().tolist()
REQUEST = infer_request("linear", pixels=PIXELS)
LIMIT = 100_000


def filled(folder, **settings):
    write_bundle(folder / "models" / "linear" / "1")
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def command_of(address, *flags):
    host, _, port = address.partition(":")
    return " ".join((RUNTIME, "--host", host, "--grpc-port", port, *flags))


def new_address():
    host, port = own_address()
    return f"{host}:{port}"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return a server, its address for gRPC and its folder."""
    folder = filled(tmp_path_factory.mktemp("grpc"), maxBodyBytes=LIMIT)
    address = new_address()
    with serving(command_of(address, "--workers 1"), folder) as server:
        yield server, address, folder


@pytest.fixture
def address(served):
    return served[1]


@pytest.fixture
def client(address):
    with GrpcClient(address) as client:
        yield client


def scores_of(answer):
    return np.frombuffer(answer.raw_output_contents[0], np.float32).tolist()


def is_right(client):
    return scores_of(client.ask("ModelInfer", REQUEST)) == SCORES


def test_the_same_bits_as_rest(served, client):
    server = served[0]
    array = np.random.default_rng(1).normal(size=(7, 2, 2, 1)).astype(np.float32)
    blob = array.tobytes()
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "pixels",
                    "shape": array.shape,
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": len(blob)},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    length = "Inference-Header-Content-Length"
    reply = CLIENT.post(
        f"{server.url}/v2/models/linear/infer",
        content=head + blob,
        headers={length: str(len(head))},
    )
    answer = client.ask("ModelInfer", infer_request("linear", pixels=array))
    assert answer.raw_output_contents[0] == reply.content[int(reply.headers[length]) :]


def test_many_clients_at_once_get_their_own_answers(address):
    def ask(number):
        with GrpcClient(address) as client:
            for nth in range(20):
                pixels = PIXELS * (number + nth)
                answer = client.ask(
                    "ModelInfer", infer_request("linear", pixels=pixels)
                )
                wanted = [score * (number + nth) for score in SCORES]
                assert scores_of(answer) == wanted
        done.put(number)

    done = queue.Queue()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert done.qsize() == 8


def test_reflection_tells_the_services_and_their_methods(client):
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert set(database.get_services()) == {
        SERVICE,
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    for name, method in (
        (SERVICE, "ModelInfer"),
        ("tensorflow.serving.PredictionService", "Predict"),
    ):
        service, *_ = database.FindFileContainingSymbol(name).service
        assert method in [one.name for one in service.method]


def test_health(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    serving_now = health_pb2.HealthCheckResponse.SERVING
    for name in ("", SERVICE):
        request = health_pb2.HealthCheckRequest(service=name)
        assert stub.Check(request, timeout=PATIENCE).status == serving_now
        watch = stub.Watch(request, timeout=PATIENCE)
        assert next(watch).status == serving_now
        watch.cancel()
    unknown = health_pb2.HealthCheckRequest(service="other")
    with pytest.raises(grpc.RpcError) as raised:
        stub.Check(unknown, timeout=PATIENCE)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(unknown, timeout=PATIENCE)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


@pytest.mark.parametrize("method", ["ModelInfer", "ModelReady", "RepositoryModelLoad"])
@pytest.mark.parametrize("data", [b"\xff\xff", b"\x0a\xff", b"\x0a\x02\xff\xfe"])
def test_bytes_that_are_no_message(client, method, data):
    status, words = client.refusal(method, data)
    assert status == "INVALID_ARGUMENT"
    assert "is no protobuf message inference." in words


@pytest.mark.parametrize("compression", grpc.Compression)
def test_a_message_above_the_limit(client, compression):
    many = infer_request("linear", pixels=np.zeros((LIMIT, 2, 2, 1)))
    status, words = client.refusal("ModelInfer", many, compression=compression)
    assert status == "RESOURCE_EXHAUSTED"
    assert "message larger than max" in words
    assert is_right(client)


def test_a_stream_that_is_cut_gives_its_thread_back(address, client):
    for _ in range(3 * STREAMS):
        with GrpcClient(address) as other:
            go_on = threading.Event()

            def requests(go_on=go_on):
                yield REQUEST
                go_on.wait(PATIENCE)

            answers = other.stream(requests())
            first = next(answers)
            assert scores_of(first.infer_response) == SCORES
            answers.cancel()
            go_on.set()
    assert is_right(client)


def test_too_many_streams_are_refused_and_calls_are_answered(address, client):
    go_on = threading.Event()

    def requests():
        yield REQUEST
        go_on.wait(PATIENCE)

    clients = [GrpcClient(address) for _ in range(STREAMS)]
    streams = [one.stream(requests()) for one in clients]
    # A stream of the test before may hold its thread a moment longer.
    answers = []
    for one, stream in zip(clients, streams, strict=True):
        answers.append(first_of(one, stream, requests))
    with pytest.raises(grpc.RpcError) as raised:
        next(client.stream(requests()))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "too many streams" in raised.value.details()
    assert is_right(client)
    go_on.set()
    for one in clients:
        one.channel.close()


def first_of(client, stream, requests):
    """Return the first answer of a stream, which may be refused for a while."""
    for _ in range(1000):
        try:
            return next(stream)
        except grpc.RpcError as ex:
            assert ex.code() is grpc.StatusCode.UNAVAILABLE
            stream = client.stream(requests())
    raise AssertionError("there is no room for a stream")


def connect(address):
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def test_bytes_that_are_no_http2(served, client):
    for data in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
    ):
        with connect(served[1]) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
    assert is_right(client)


def test_a_connection_that_breaks_in_a_message(served, client):
    """A head and half of its message come, and then nothing more."""
    frame = b"\0" + len(REQUEST.SerializeToString()).to_bytes(4, "big")
    for _ in range(3 * STREAMS):
        with connect(served[1]) as connection:
            connection.sendall(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                + h2_frame(4, 0, 0, b"")
                + h2_frame(1, 4, 1, head_of(f"/{SERVICE}/ModelInfer", served[1]))
                + h2_frame(0, 0, 1, frame + REQUEST.SerializeToString()[:20])
            )
            # The server's settings show that it reads.
            assert connection.recv(9)
    assert is_right(client)


def h2_frame(kind, flags, stream, payload):
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags))
    return head + stream.to_bytes(4, "big") + payload


def head_of(path, authority):
    """Return a head in HPACK, without its table: each name and value as it is."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
    }
    return b"".join(
        b"\0" + bytes((len(k),)) + k.encode() + bytes((len(v),)) + v.encode()
        for k, v in fields.items()
    )


def test_a_crowd_of_connections_leaves_room_for_http(tmp_path):
    address = new_address()
    with serving(command_of(address, "--workers 1"), filled(tmp_path)) as server:
        crowd = [connect(address) for _ in range(CONNECTIONS + 100)]
        for one in crowd:
            one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0, b""))
        taken = sum(map(is_taken, crowd))
        assert 0 < taken <= CONNECTIONS
        url = f"{server.url}/readyz"
        assert CLIENT.get(url).status_code == 200
        for one in crowd:
            one.close()
        with GrpcClient(address) as client:
            answer = client.ask("ModelInfer", REQUEST, wait_for_ready=True)
            assert scores_of(answer) == SCORES


def is_taken(connection):
    """Tell whether the server sends its settings, and does not end the connection."""
    try:
        return bool(connection.recv(9))
    except ConnectionResetError:
        return False


def test_the_time_of_a_call_is_over(client, served):
    request = infer_request("linear", pixels=PIXELS)
    request.parameters["timeout"].int64_param = 1
    status, words = client.refusal("ModelInfer", request)
    assert status == "DEADLINE_EXCEEDED"
    assert "time was over" in words


def test_the_log_and_the_metrics_have_each_call(served):
    server, address, folder = served
    with GrpcClient(address, x_request_id="call-7") as client:
        call = client.channel.unary_unary(f"/{SERVICE}/ModelInfer")
        _, done = call.with_call(
            REQUEST.SerializeToString(), metadata=client.metadata, timeout=PATIENCE
        )
    assert dict(done.trailing_metadata())["x-request-id"] == "call-7"
    log = log_with(folder, "request_id=call-7")
    (line,) = (line for line in log.splitlines() if "request_id=call-7" in line)
    assert f"method=GRPC path=/{SERVICE}/ModelInfer" in line
    assert "status=200" in line
    assert "model=linear version=1" in line
    route = f'route="/{SERVICE}/ModelInfer"'
    metrics = httpx.get(f"{server.url}/metrics", timeout=PATIENCE).text
    counted = [line for line in metrics.splitlines() if route in line]
    assert any('status="200"' in line and 'model="linear"' in line for line in counted)


def test_tokens_and_the_rate(tmp_path):
    digests = {
        token: hashlib.sha256(token.encode()).hexdigest() for token in ("read", "write")
    }
    filled(
        tmp_path,
        predictTokens=[digests["read"]],
        writeTokens=[digests["write"]],
        rate="4-D",
        workers=1,
    )
    address = new_address()
    load = pb.RepositoryModelLoadRequest(model_name="linear")
    with serving(command_of(address), tmp_path):
        with GrpcClient(address) as client:
            assert client.ask("ServerReady", pb.ServerReadyRequest()).ready
            # The message is above the limit, and the client is refused without it.
            status, words = client.refusal("ModelInfer", REQUEST)
            assert (status, "Authorization: Bearer" in words) == (
                "UNAUTHENTICATED",
                True,
            )
        with GrpcClient(address, authorization="Bearer read") as client:
            assert is_right(client)
            assert client.refusal("RepositoryModelLoad", load)[0] == "UNAUTHENTICATED"
        with GrpcClient(address, authorization="Bearer write") as client:
            client.ask("RepositoryModelLoad", load)
            status, words = client.refusal("ModelInfer", REQUEST)
            assert status == "RESOURCE_EXHAUSTED"
            assert "4 requests a day are allowed" in words
            # Health checks are no requests of this kind.
            assert client.ask("ServerReady", pb.ServerReadyRequest()).ready


def test_the_end_answers_what_is_in_hand_and_ends_streams(tmp_path):
    filled(tmp_path)
    write_bundle(
        tmp_path / "models" / "slow" / "1", name="slow", onnx_bytes=slow_onnx(300)
    )
    address = new_address()
    slow = infer_request("slow", pixels=PIXELS)
    answers = queue.Queue()
    with serving(command_of(address, "--workers 1 --preload slow"), tmp_path) as server:
        clients = [GrpcClient(address) for _ in range(3)]
        stub = health_pb2_grpc.HealthStub(clients[0].channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        while next(watch).status != health_pb2.HealthCheckResponse.SERVING:
            pass
        is_open = threading.Event()
        stream = clients[1].stream(
            itertools.chain([REQUEST], iter(lambda: is_open.wait(PATIENCE), True))
        )
        assert scores_of(next(stream).infer_response) == SCORES
        call = clients[2].channel.unary_unary(f"/{SERVICE}/ModelInfer")
        for _ in range(3):
            future = call.future(slow.SerializeToString(), timeout=PATIENCE)
            future.add_done_callback(answers.put)
        # This answer shows that the first call has been taken.
        first = answers.get(timeout=PATIENCE)
        assert first.code() is grpc.StatusCode.OK
        server.process.send_signal(signal.SIGTERM)
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        assert [one.status for one in watch] == [not_serving]
        for _ in range(2):
            future = answers.get(timeout=PATIENCE)
            assert future.code() is grpc.StatusCode.OK, future.details()
        with pytest.raises(grpc.RpcError) as raised:
            next(stream)
        # The word that it is cancelled may be lost where the connection ends with it.
        assert raised.value.code().name in ("CANCELLED", "UNAVAILABLE")
        assert server.process.wait(PATIENCE) == 0
        is_open.set()
        for one in clients:
            one.channel.close()


def test_tls(tmp_path):
    filled(tmp_path)
    address = new_address()
    host = address.partition(":")[0]
    run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        f" -addext subjectAltName=IP:{host} -keyout key.pem -out crt.pem",
        tmp_path,
    )
    flags = "--workers 1 --server-key key.pem --server-crt crt.pem"
    with (
        serving(command_of(address, flags), tmp_path),
        GrpcClient(address, (tmp_path / "crt.pem").read_bytes()) as client,
    ):
        with connect(address) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while connection.recv(1 << 16):
                pass
        assert is_right(client)
    # The start has four lines, and the call has one.
    assert "ssl" not in (tmp_path / "server.log").read_text()


def test_a_port_that_is_taken(served, tmp_path):
    host, _, port = served[1].partition(":")
    told = run(command_of(served[1]), tmp_path, 1)
    assert f"cannot listen on {host} port {port}: Address already in use" in told


def libraries_of(server):
    (worker,) = server.workers()
    return {map.path.rpartition("/")[2] for map in worker.memory_maps()}


def test_a_worker_holds_nothing_of_grpc_while_the_door_is_off(served, tmp_path):
    def has_grpc(server):
        return any(name.startswith("cygrpc") for name in libraries_of(server))

    assert has_grpc(served[0])
    with serving(f"{RUNTIME} --workers 1", filled(tmp_path)) as server:
        assert not has_grpc(server)


def test_without_the_extra_a_sentence_names_it(tmp_path):
    script = (
        "import sys; sys.modules['grpc'] = None\n"
        "from runtime.cli import main; main(['serve', '--grpc-port', '8001'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'tfaas-onnx[grpc]'" in done.stderr


def test_a_worker_that_is_killed_is_replaced_at_its_port(tmp_path):
    address = new_address()
    with serving(command_of(address, "--workers 1"), filled(tmp_path)) as server:
        (worker,) = server.workers()
        worker.kill()
        psutil.wait_procs([worker], PATIENCE)
        with GrpcClient(address) as client:
            answer = client.ask("ModelInfer", REQUEST, wait_for_ready=True)
            assert scores_of(answer) == SCORES
