"""A real nginx stands before `runtime serve`, as in many installations."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import PATIENCE, RUNTIME, serving
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
    settings = {"writeTokens": [digest], "predictTokens": [digest]}
    (folder / "config.json").write_text(json.dumps(settings))
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        yield server


@contextmanager
def nginx(url, buffering):
    """Run nginx before a server, for the length of a block; yield a client of it."""
    # A Unix socket's path may have 107 bytes, and pytest's folders have long names.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = CONFIG.format(url=url, buffering=buffering)
        (folder / "nginx.conf").write_text(config)
        with subprocess.Popen(
            [NGINX, "-p", name, "-c", "nginx.conf", "-e", "error.log"], cwd=folder
        ) as process:
            try:
                while not answers(folder / "nginx.sock"):
                    assert process.poll() is None, (folder / "error.log").read_text()
                way = httpx.HTTPTransport(uds=str(folder / "nginx.sock"))
                with httpx.Client(transport=way, timeout=PATIENCE) as client:
                    yield client
            finally:
                process.kill()


def answers(path):
    with socket.socket(socket.AF_UNIX) as client:
        return not client.connect_ex(str(path))


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
