"""``runtime healthcheck`` finds the service, and turns its answer into an exit code."""

import io
import json
import socket
import ssl
import subprocess
import sys

import pytest
from click.testing import CliRunner

from runtime.cli import healthcheck as module
from runtime.cli import main
from runtime.config import Config
from tests.documents import ROOT

ALIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Answering:
    """A connection to a service that answers each question with the same bytes."""

    def __init__(self, reply):
        self._reply = io.BytesIO(reply)
        self.asked = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def sendall(self, sent):
        self.asked += sent

    def recv(self, size):
        return self._reply.read(min(size, 7))

    def settimeout(self, seconds):
        pass


class Dripping(Answering):
    """A connection that gives a byte each second of its own clock, for ever."""

    def __init__(self):
        super().__init__(b"")
        self.now = 0.0
        self._timeout = 4.0

    def recv(self, size):
        self.now += 1
        if self._timeout < 1:
            raise TimeoutError
        assert self.now < 100, "it would never end"
        return b"x"

    def settimeout(self, seconds):
        self._timeout = seconds


@pytest.fixture
def service(monkeypatch, tmp_path):
    """Let a connection of bytes stand in for the network; return what came there."""
    monkeypatch.chdir(tmp_path)
    came = {"reply": ALIVE}

    def connect(address, seconds):
        came.update(address=address, seconds=seconds)
        if isinstance(came["reply"], Exception):
            raise came["reply"]
        came["connection"] = Answering(came["reply"])
        return came["connection"]

    monkeypatch.setattr(socket, "create_connection", connect)
    return came


def check(*arguments):
    result = CliRunner().invoke(main, ["healthcheck", *arguments])
    return result.exit_code, result.output


def test_the_service_of_config_json_is_asked(service, tmp_path):
    (tmp_path / "config.json").write_text('{"port": 9, "host": "::", "base": "ml"}')
    assert check() == (0, "http://[::1]:9/ml/livez is alive\n")
    assert service["address"] == ("::1", 9)
    assert service["connection"].asked.startswith(b"GET /ml/livez HTTP/1.1\r\n")
    assert b"\r\nHost: [::1]:9\r\n" in service["connection"].asked


def test_readiness_is_asked_for(service):
    service["reply"] = b'HTTP/1.1 503 x\r\n\r\n{"error":"models are loading"}'
    code, output = check("--ready", "--timeout", "2")
    assert code == 1
    assert output == (
        "Error: http://127.0.0.1:8083/readyz answers 503:"
        ' {"error":"models are loading"}\n'
    )
    assert service["seconds"] == 2


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError("timed out"), "no whole answer came within 4 s"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is no HTTP"),
        (b"", "the answer is no HTTP"),
        (b"HTTP/1.1 ok\r\n\r\n", "the answer is no HTTP"),
    ],
)
def test_what_is_no_answer_is_a_sentence(service, reply, told):
    service["reply"] = reply
    address = "http://127.0.0.1:8083/livez"
    assert check() == (1, f"Error: {address} does not answer: {told}\n")


@pytest.mark.parametrize(
    "url",
    ["lab.example", "ftp://lab.example", "http://", "http://a:99999", "http://a/b c"],
)
def test_a_url_that_is_none_is_refused(service, url):
    code, output = check("--url", url)
    assert code == 1
    assert output.startswith("Error: --url ")
    assert "address" not in service


def test_a_url_goes_before_config_json(service, tmp_path):
    (tmp_path / "config.json").write_text("{")
    assert check("--url", "http://lab.example/ml/")[0] == 0
    assert service["address"] == ("lab.example", 80)
    assert service["connection"].asked.startswith(b"GET /ml/livez ")


def test_a_broken_config_json_is_unhealthy(service, tmp_path):
    # Docker reserves the exit code 2.
    (tmp_path / "config.json").write_text('{"prot": 1}')
    code, output = check()
    assert code == 1
    assert "did you mean 'port'?" in output
    assert check("--url", "http://a", "--config", "config.json")[0] == 1


def test_a_free_port_is_known_to_the_service_alone(service, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"port": 0}))
    code, output = check()
    assert code == 1
    assert "--url" in output


def test_the_own_machine_needs_no_proof_of_its_name(service, monkeypatch):
    seen = []

    def wrap(self, plain, server_hostname):
        seen.append((self.verify_mode, self.check_hostname, server_hostname))
        return plain

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    target = module.target_of(Config(server_key="k", server_crt="c"))
    assert module.ask(target, "/livez", None, 1.0)[0] == 200
    assert check("--url", "https://lab.example")[0] == 0
    assert seen == [
        (ssl.CERT_NONE, False, "127.0.0.1"),
        (ssl.CERT_REQUIRED, True, "lab.example"),
    ]
    code, output = check("--url", "https://lab.example", "--cacert", "none.pem")
    assert code == 1
    assert "--cacert none.pem cannot be used: No such file or directory" in output


@pytest.mark.slow
def test_nothing_slow_is_imported(tmp_path):
    """A container asks every few seconds, so its processor would feel an import."""
    script = (
        "import sys; from runtime.cli import main\n"
        "try: main(['healthcheck', '--url', 'nix'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {*done.stdout.split()}
    assert "runtime.cli.healthcheck" in imported, done.stderr
    slow = {"numpy", "onnxruntime", "httpx", "http.client", "rich", "ssl"}
    assert imported & slow == set()


def test_a_program_that_drips_bytes_cannot_hold_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    dripping = Dripping()
    monkeypatch.setattr(socket, "create_connection", lambda *_: dripping)
    monkeypatch.setattr(module.time, "monotonic", lambda: dripping.now)
    code, output = check("--timeout", "4")
    assert code == 1
    assert "does not answer: no whole answer came within 4 s" in output
    assert dripping.now <= 5
