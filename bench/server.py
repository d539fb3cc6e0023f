"""The servers; each is set up for the machine's cores as its documentation advises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench import wire
from bench.wire import Wire


@dataclass(frozen=True)
class Server:
    """A server, with its start command and its protocols.

    ``command`` and ``variables`` may contain ``{port}``, ``{port2}`` and ``{port3}``
    (free ports; the second is for gRPC, where there is gRPC), ``{cores}`` (the
    machine's number of cores), ``{bin}`` (the folder of the commands) and ``{folder}``
    (a folder to write into).

    Attributes:
        name: its name on the command line and in results.json.
        title: its name in the tables.
        setup: its set-up, in words.
        peer: the folder in bench/peers with its requirements; empty if it is this
            project's.
        command: the command that starts it.
        protocols: its protocols, by a work's kind.
        variables: the environment variables of its process.
        seconds: the longest time to its first answer.
    """

    name: str
    title: str
    setup: str
    peer: str
    command: str
    protocols: Mapping[str, Wire]
    variables: Mapping[str, str] = field(default_factory=dict)
    seconds: int = 60

    @property
    def is_ours(self) -> bool:
        """Tell whether it is this project's."""
        return not self.peer


_OURS: Mapping[str, Wire] = {
    "image": wire.form("/predict/image"),
    "tensor": wire.tfaas_json("/predict/json"),
    "batch": wire.form("/predict/image"),
    "binary": wire.v2_tensor("/v2/models/{model}/infer"),
    "numbers": wire.v2_json("/v2/models/{model}/infer"),
}
_PLAIN: Mapping[str, Wire] = {
    "image": wire.form("/image"),
    "tensor": wire.json_pixels("/pixels", "pixels"),
    "batch": wire.form("/image"),
}
_INFER = "/v2/models/model/infer"
_NO_LOG = {"TFAAS_ACCESS_LOG": "false"}

SERVERS = (
    Server(
        "ours",
        "this project, `runtime serve`",
        "as it comes: a worker a core, 4 threads each",
        "",
        "{bin}/runtime serve --port {port}",
        _OURS,
        _NO_LOG,
    ),
    Server(
        "ours-accesslog",
        "this project, `runtime serve` with its access log",
        "as it comes, and the access log goes to a file",
        "",
        "{bin}/runtime serve --port {port}",
        _OURS,
    ),
    Server(
        "ours-grpc",
        "this project, `runtime serve` with its gRPC port",
        "as it comes, and `--grpc-port`",
        "",
        "{bin}/runtime serve --port {port} --grpc-port {port2}",
        {"image": _OURS["image"], "grpc": wire.v2_grpc()},
        _NO_LOG,
    ),
    Server(
        "ours-waitress",
        "this project, waitress",
        "as it comes: one process, 4 threads",
        "",
        "{bin}/waitress-serve --listen=127.0.0.1:{port} runtime.app:app",
        _OURS,
        _NO_LOG,
    ),
    Server(
        "ours-tensorflow",
        "this project, TensorFlow in place of ONNX",
        "`runtime serve` with `onnx: off`",
        "",
        "{bin}/runtime serve --port {port}",
        _OURS,
        {**_NO_LOG, "TFAAS_ONNX": "off"},
    ),
    Server(
        "naive-granian",
        "naive Falcon, granian",
        "a worker a core, 1 blocking thread each",
        "naive",
        "{bin}/granian --interface wsgi --port {port} --workers {cores}"
        " --blocking-threads 1 --log-level warning app:app",
        _PLAIN,
    ),
    Server(
        "naive-waitress",
        "naive Falcon, waitress",
        "one process, 4 threads",
        "naive",
        "{bin}/waitress-serve --listen=127.0.0.1:{port} app:app",
        _PLAIN,
    ),
    Server(
        "fastapi",
        "FastAPI, uvicorn",
        "a worker a core, uvloop, httptools",
        "fastapi",
        "{bin}/uvicorn app:app --port {port} --workers {cores} --loop uvloop"
        " --http httptools --no-access-log --log-level warning",
        _PLAIN,
    ),
    Server(
        "flask",
        "Flask, gunicorn",
        "a gthread worker a core, 1 thread each",
        "flask",
        "{bin}/gunicorn app:app --bind 127.0.0.1:{port} --workers {cores}"
        " --worker-class gthread --threads 1 --log-level warning",
        _PLAIN,
    ),
    Server(
        "mlserver",
        "MLServer",
        "custom runtime, no parallel workers (faster so)",
        "mlserver",
        "{bin}/mlserver start .",
        {
            "image": wire.v2_base64(_INFER),
            "tensor": wire.v2_json(_INFER, "pixels"),
            "batch": wire.v2_base64(_INFER),
            "numbers": wire.v2_json(_INFER, "pixels"),
        },
        {
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{port2}",
            "MLSERVER_METRICS_PORT": "{port3}",
        },
    ),
    Server(
        "bentoml",
        "BentoML",
        "a worker a core",
        "bentoml",
        "{bin}/bentoml serve app:Classify --host 127.0.0.1 --port {port}",
        {
            "image": wire.form("/image", model=False),
            "tensor": wire.json_pixels("/pixels", "pixels"),
            "batch": wire.json_pixels("/pixels", "pixels"),
        },
        {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": "{folder}"},
        120,
    ),
    Server(
        "litserve",
        "LitServe",
        "a worker and an API server a core",
        "litserve",
        "{bin}/python app.py {port}",
        {
            "image": wire.form("/predict"),
            "tensor": wire.json_pixels("/predict", "pixels"),
            "batch": wire.json_base64("/predict", "images"),
        },
    ),
    Server(
        "ray",
        "Ray Serve",
        "a replica a core, throughput-optimized, HAProxy",
        "ray",
        "{bin}/python serve.py {port}",
        _PLAIN,
        {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_HAPROXY_METRICS_PORT": "{port2}",
            "RAY_SERVE_HAPROXY_STATS_PORT": "{port3}",
        },
        120,
    ),
    Server(
        "triton",
        "Triton, of nvidia-pytriton",
        "Python backend, an instance a core, dynamic batching",
        "triton",
        "{bin}/python serve.py {port} {port2} {folder}",
        {
            "image": wire.v2_binary(_INFER),
            "tensor": wire.v2_json(_INFER, "pixels"),
            "batch": wire.v2_binary(_INFER),
            "numbers": wire.v2_json(_INFER, "pixels"),
            "binary": wire.v2_tensor(_INFER, "pixels"),
            "grpc": wire.v2_grpc("model", "pixels"),
        },
    ),
)
BY_NAME = {server.name: server for server in SERVERS}
QUICK = ("ours", "ours-accesslog", "ours-waitress", "naive-granian", "naive-waitress")
