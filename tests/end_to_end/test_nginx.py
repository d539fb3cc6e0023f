"""A real nginx stands before `runtime serve`, as in many installations."""

import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.documents import ROOT
from tests.end_to_end.conftest import (
    PATIENCE,
    RUNTIME,
    log_with,
    own_address,
    run,
    serving,
)
from tests.end_to_end.grpc_client import GrpcClient, infer_request
from tests.examples import tar_of, write_bundle

# tools/install.sh unpacks nginx there if the machine has none.
PLACES = os.pathsep.join(
    (os.environ["PATH"], "/usr/sbin", str(Path(sys.prefix) / "nginx/usr/sbin"))
)
NGINX = shutil.which("nginx", path=PLACES)

pytestmark = pytest.mark.skipif(
    NGINX is None, reason="there is no nginx, and tools/install.sh could not fetch it"
)

# The kernel's buffers hold some 4 MB for a server that does not read.
LARGE = 8 << 20
TIMES = 30
CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen unix:nginx.sock;
        location / {{
            proxy_pass {url};
            proxy_request_buffering {buffering};
            proxy_http_version 1.1;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("behind")
    write_bundle(folder / "models" / "linear" / "1")
    digest = hashlib.sha256(b"secret").hexdigest()
    host, port = own_address()
    settings = {
        "writeTokens": [digest],
        "predictTokens": [digest],
        "host": host,
        "grpcPort": port,
        "trustedProxies": ["127.0.0.0/8"],
    }
    (folder / "config.json").write_text(json.dumps(settings))
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        server.folder, server.grpc = folder, f"{host}:{port}"
        yield server


@contextmanager
def nginx(url, buffering):
    """Run nginx before a server, for the length of a block; yield a client of it."""
    # A Unix socket's path may have 107 bytes, and pytest's folders have long names.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = str(folder / "nginx.sock")
        config = CONFIG.format(url=url, buffering=buffering)
        with running(config, folder, socket.AF_UNIX, path):
            way = httpx.HTTPTransport(uds=path)
            with httpx.Client(transport=way, timeout=PATIENCE) as client:
                yield client


@contextmanager
def running(config, folder, family, address):
    """Run nginx with a config, until the end of a block; wait until it listens."""
    (folder / "nginx.conf").write_text(config)
    with subprocess.Popen(
        [NGINX, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"], cwd=folder
    ) as process:
        try:
            while not answers(family, address):
                assert process.poll() is None, (folder / "error.log").read_text()
            yield
        finally:
            process.kill()


def answers(family, address):
    with socket.socket(family) as client:
        return not client.connect_ex(address)


@pytest.mark.parametrize(
    ("path", "buffering"), [("/upload", "on"), ("/predict/image", "off")]
)
def test_a_refusal_comes_through_nginx_and_never_as_502(server, path, buffering):
    """If the connection were closed at once, nginx would answer in the service's place.

    nginx writes the body while the service refuses its head.
    """
    with nginx(server.url, buffering) as client:
        statuses = Counter(
            client.post(f"http://here{path}", content=bytes(LARGE)).status_code
            for _ in range(TIMES)
        )
    assert statuses == {401: TIMES}


def test_who_has_a_token_is_served_through_nginx(server, tmp_path):
    token = {"Authorization": "Bearer secret"}
    bundle = write_bundle(tmp_path / "other", name="other")
    body = {"model": "other", "values": [1, 2, 3, 4]}
    with nginx(server.url, "on") as client:
        client.headers.update(token)
        reply = client.post("http://here/upload", content=tar_of(bundle))
        assert reply.status_code == 200, reply.text
        assert client.post("http://here/predict", json=body).json() == [1, 2, 7]


# -- deploy/nginx ---------------------------------------------------------------------

DEPLOYED = ROOT / "deploy" / "nginx"
GRPC_CONF = "tfaas-onnx-grpc.conf"
PIXELS = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
SECRET = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def deployed(server, tmp_path_factory):
    """Run nginx with the files of deploy/, but for names and numbers of the machine."""
    folder = tmp_path_factory.mktemp("deployed")
    host, secure = own_address()
    _, plain = own_address()
    run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        " -days 2 -subj /CN=models.example -keyout key -out crt"
        f" -addext subjectAltName=IP:{host}",
        folder,
    )
    changes = {
        "127.0.0.1:8083": httpx.URL(server.url).netloc.decode(),
        "127.0.0.1:8001": server.grpc,
        "listen 443 ": f"listen {host}:{secure} ",
        "listen 80;": f"listen {host}:{plain};",
        "/etc/nginx/tls/models.example.crt": f"{folder}/crt",
        "/etc/nginx/tls/models.example.key": f"{folder}/key",
        "# include /etc/nginx/tfaas-onnx-grpc.conf;": f"include {folder}/grpc.conf;",
    }
    texts = [(DEPLOYED / name).read_text() for name in ("tfaas-onnx.conf", GRPC_CONF)]
    for old, new in changes.items():
        assert old in "".join(texts), old
        texts = [text.replace(old, new) for text in texts]
    http, grpc = (re.sub(r"\n *listen \[::\].*", "", text) for text in texts)
    (folder / "grpc.conf").write_text(grpc)
    head, _, _ = CONFIG.partition("    server {{")
    config = head.replace("client_max_body_size 0;", "").format() + http + "}"
    address = (host, secure)
    context = ssl.create_default_context(cafile=folder / "crt")
    with running(config, folder, socket.AF_INET, address):
        # nginx and its client have addresses of their own.
        way = httpx.HTTPTransport(verify=context, local_address="127.9.9.9")
        with httpx.Client(
            transport=way, timeout=PATIENCE, base_url=f"https://{host}:{secure}"
        ) as client:
            client.plain = f"http://{host}:{plain}"
            client.crt = (folder / "crt").read_bytes()
            yield client


def test_the_client_is_known_by_its_own_address_and_not_by_one_that_it_claims(
    server, deployed
):
    body = {"model": "linear", "values": [1, 2, 3, 4]}
    claimed = {"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "through-nginx"}
    reply = deployed.post("/predict", json=body, headers={**SECRET, **claimed})
    assert reply.json() == [1, 2, 7]
    log = log_with(server.folder, "request_id=through-nginx")
    (line,) = (each for each in log.splitlines() if "through-nginx" in each)
    assert "client=127.9.9.9" in line


def test_a_bundle_larger_than_nginxs_own_limit_is_published(deployed, tmp_path):
    bundle = write_bundle(tmp_path / "large", name="large")
    (bundle / "assets").mkdir(exist_ok=True)
    (bundle / "assets" / "notes").write_bytes(os.urandom(40 << 20))
    reply = deployed.post("/upload", content=tar_of(bundle), headers=SECRET)
    assert reply.status_code == 200, reply.text
    # A prediction has the limit maxBodyBytes, which nginx knows, too.
    reply = deployed.post("/predict", content=bytes(33 << 20), headers=SECRET)
    assert reply.status_code == 413


def test_the_deployed_nginx_hands_refusals_on(deployed):
    # nginx promises to keep the connection before it has read the body, and closes it
    # if the refusal is quicker. So each upload has its own, as curl's has.
    own = {"Connection": "close"}
    statuses = {
        deployed.post("/upload", content=bytes(LARGE), headers=own).status_code
        for _ in range(5)
    }
    assert statuses == {401}
    assert deployed.get("/metrics", headers=SECRET).status_code == 404
    assert deployed.get("/readyz").status_code == 200


def test_clear_text_is_sent_to_tls(deployed):
    reply = httpx.get(f"{deployed.plain}/models", headers={"Host": "models.example"})
    assert reply.status_code == 301
    assert reply.headers["location"] == "https://models.example/models"


def test_grpc_is_answered_on_the_same_port(deployed):
    address = deployed.base_url.netloc.decode()
    request = infer_request("linear", pixels=PIXELS)
    with GrpcClient(address, deployed.crt, authorization="Bearer secret") as client:
        answer = client.ask("ModelInfer", request)
    assert np.frombuffer(answer.raw_output_contents[0], np.float32).tolist() == [
        1,
        2,
        7,
    ]
    with GrpcClient(address, deployed.crt) as client:
        assert client.refusal("ModelInfer", request)[0] == "UNAUTHENTICATED"
