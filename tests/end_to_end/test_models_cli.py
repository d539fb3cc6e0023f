"""``runtime models`` is typed against real servers on loopback."""

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bundle.store import ModelStore
from tests.end_to_end.conftest import ENVIRONMENT, PATIENCE, WAITRESS, run, serving
from tests.end_to_end.terminal import on_terminal
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "config.json").write_text(
        '{"provider": "cpu", "base": "/ml", "verbose": 1}'
    )
    with serving(WAITRESS, folder) as server:
        yield ModelStore(folder / "models"), f"{server.url}/ml"


@pytest.fixture
def store(served):
    store, _ = served
    for name in store.names():
        store.delete(name)
    return store


@pytest.fixture
def url(served):
    return served[1]


@pytest.fixture
def models(url, store, tmp_path):
    """Return a function that types a command for the server; it returns the output."""

    def type_in(command, code=0, server=url):
        wrote = run(f"runtime models {command} --server {server}", tmp_path, code)
        assert "Traceback" not in wrote
        return wrote

    return type_in


def test_a_bundle_is_pushed_listed_and_deleted(models, store, url, tmp_path):
    assert models("list") == f"there are no models in {url}\n"
    folder = write_bundle(tmp_path / "trained")
    ask = f"curl {url}/predict/image -F image=@picture.png -F model=linear\n"
    assert models("push trained") == f"linear:1 {CPU}\n{ask}"
    stored = store.root / "linear" / "1" / "model.onnx"
    assert stored.read_bytes() == (folder / "model.onnx").read_bytes()
    (tmp_path / "x.tar.gz").write_bytes(tar_of(folder))
    pushed = json.loads(models("push x.tar.gz --json"))
    assert (pushed["version"], pushed["backend"]) == (2, CPU)
    assert json.loads(models("list --json"))[0]["versions"] == [1, 2]
    assert "say --yes" in models("delete linear", 2)
    assert models("delete linear --yes") == "linear is deleted\n"
    assert store.names() == []


def test_what_the_server_refuses_is_its_sentence(models, tmp_path):
    write_bundle(tmp_path / "broken", onnx_bytes=b"nonsense")
    assert "model.onnx is damaged" in models("push broken", 2)
    told = models("delete nosuch --yes", 2)
    assert "there is no model 'nosuch'; 'runtime models list' lists" in told


def test_a_large_bundle_is_sent_whole(models, store, tmp_path):
    """The bundle is larger than any buffer on the way, and no multiple of one."""
    folder = write_bundle(tmp_path / "large")
    (folder / "assets").mkdir()
    (folder / "assets" / "words.bin").write_bytes(os.urandom((64 << 20) + 1))
    models("push large")
    for name in ("assets/words.bin", "model.onnx"):
        stored = store.root / "linear" / "1" / name
        assert stored.read_bytes() == (folder / name).read_bytes()


def test_labels_versions_and_a_rollback(models, store, tmp_path):
    for factor in (1, 2, 3):
        onnx = linear_onnx(WEIGHTS * factor)
        write_bundle(tmp_path / str(factor), onnx_bytes=onnx)
        models(f"push {factor}")
    assert models("rollback linear") == "linear serves version 2\n"
    assert models("label linear:3 canary") == "linear@canary is 3\n"
    assert store.labels("linear") == {"canary": 3, "stable": 2}
    assert models("show linear").startswith("linear serves version 2\n")
    assert json.loads(models("show linear@canary --json"))["version"] == 3
    line = models("list").splitlines()[1]
    assert " ".join(line.split()).startswith("linear 2 1-3 canary=3, stable=2 ")
    models("label linear@canary stable")
    models("label --delete linear canary")
    assert store.labels("linear") == {"stable": 3}
    assert "labelled 'stable'" in models("delete linear:3 --yes", 2)
    models("delete linear:1 --yes")
    assert store.versions("linear") == [2, 3]


def test_what_is_pulled_is_what_was_pushed(models, tmp_path):
    folder = write_bundle(tmp_path / "trained")
    (folder / "assets").mkdir()
    (folder / "assets" / "words.bin").write_bytes(os.urandom((64 << 20) + 1))
    models("push trained")
    assert models("pull linear") == "linear:1 linear\n"
    for name in ("assets/words.bin", "model.onnx", "params.json"):
        assert (tmp_path / "linear" / name).read_bytes() == (folder / name).read_bytes()
    assert "is not replaced" in models("pull linear", 2)
    models("pull linear:1 --output x.tar.gz")
    assert models("push x.tar.gz").startswith(f"linear:2 {CPU}\n")


def test_deleting_on_a_terminal_asks(store, url, tmp_path):
    store.install(write_bundle)
    store.install(write_bundle)
    command = f"runtime models delete linear --server {url}"
    code, seen = on_terminal(command, tmp_path, b"n\n")
    assert f"Delete linear in {url}, versions 1, 2? [y/N]" in seen
    assert (code, store.versions("linear")) == (1, [1, 2])
    # If a Ctrl-C comes just before Python's input() reads, it sees it after the line.
    code, seen = on_terminal(command, tmp_path, b"\x03n\n")
    assert (code, store.versions("linear")) == (130, [1, 2]), seen
    code, seen = on_terminal(command, tmp_path, b"y\n")
    assert (code, store.names()) == (0, [])


# These tests use terminals, and servers that are not this service.


def test_a_push_shows_its_progress_on_a_terminal_alone(models, url, tmp_path):
    write_bundle(tmp_path / "trained")
    code, seen = on_terminal(f"runtime models push trained --server {url}", tmp_path)
    assert code == 0
    assert "pushing trained" in seen
    assert "bytes" in seen or "kB" in seen
    assert models("push trained --json").startswith("{")


def test_a_port_where_nothing_listens_is_told(models):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens there
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert f"nothing listens at {address}" in models("list", 1, address)


def test_a_host_that_there_is_not_is_told(models):
    told = models("list", 1, "http://nosuch.invalid")
    assert "there is no host 'nosuch.invalid'" in told


def test_a_wrong_base_is_told(models, url):
    assert "must end with the service's 'base'" in models("list", 2, f"{url}/more")


class Page(BaseHTTPRequestHandler):
    """A server that belongs to somebody else."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>It works!</h1>")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def listening():
    """Return a function that starts a server for one test, and returns its port."""
    started = []

    def start(handler, context=None):
        server = HTTPServer(("127.0.0.1", 0), handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        return server.server_port

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


def test_somebody_elses_server_is_told(models, listening):
    address = f"http://127.0.0.1:{listening(Page)}"
    assert f"{address} is no tfaas-onnx service" in models("list", 2, address)


def test_a_server_without_tls_is_told(models, listening):
    address = f"https://127.0.0.1:{listening(Page)}"
    assert "does its URL begin with http://?" in models("list", 1, address)


def test_a_certificate_must_be_trusted(models, listening, tmp_path):
    run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out crt.pem",
        tmp_path,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt.pem", tmp_path / "key.pem")
    address = f"https://127.0.0.1:{listening(Page, context)}"
    told = models("list", 1, address)
    assert f"the certificate of {address} is not trusted: self-signed" in told
    assert "is no tfaas-onnx service" in models("list --cacert crt.pem", 2, address)


def test_ctrl_c_in_a_pull_leaves_nothing(listening, tmp_path):
    sent, end = threading.Event(), threading.Event()

    class Stalling(BaseHTTPRequestHandler):
        """A server that answers a pull's questions, and then sends half an archive."""

        def do_GET(self):
            self.send_response(200)
            if self.path.endswith("/bundle"):
                self.send_header("Content-Type", "application/gzip")
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"\x1f\x8b")
                sent.set()
                end.wait(PATIENCE)
                return
            self.end_headers()
            self.wfile.write(b'{"name": "linear", "version": 1, "bytes": 1000}')

        def log_message(self, *arguments):
            pass

    address = f"http://127.0.0.1:{listening(Stalling)}"
    with subprocess.Popen(
        ["runtime", "models", "pull", "linear:1", "--server", address],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while not sent.wait(0.1):
                assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=PATIENCE)
        finally:
            end.set()
    assert (process.returncode, told) == (130, "interrupted\n")
    assert list(tmp_path.iterdir()) == []
