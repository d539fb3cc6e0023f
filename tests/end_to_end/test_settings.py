"""SIGHUP: `runtime serve` reads its settings anew, and serves on."""

import contextlib
import hashlib
import json
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from bundle.store import ModelStore
from tests.end_to_end.conftest import (
    ENVIRONMENT,
    PATIENCE,
    RUNTIME,
    log_with,
    run,
    serving,
)
from tests.examples import write_bundle
from tests.forms import form, png

BODY, HEADERS = form(image=png([[1, 2], [3, 4]]), model="linear")
ANSWER = [1, 2, 7]
DONE = "the settings were read anew; "
REFUSED = "the settings were read anew and refused"


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def configure(folder, **settings):
    (folder / "config.json").write_text(json.dumps(settings))


def certify(folder, name):
    """Make a key and a certificate for localhost, in key.pem and crt.pem."""
    run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        f" -days 2 -subj /CN={name} -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
        " -keyout key.pem -out crt.pem",
        folder,
    )


class Reloading:
    """A server that is told to read its settings anew, and waited for."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = folder
        self.url = server.url
        self._times = {DONE: 0, REFUSED: 0}

    def reload(self, outcome=DONE, **settings):
        """Write other settings, send SIGHUP, and wait for the line about them."""
        if settings:
            configure(self.folder, **settings)
        self._times[outcome] += 1
        self.server.process.send_signal(signal.SIGHUP)
        return self._line(outcome, self._times[outcome])

    def _line(self, text, times):
        for _ in range(10 * PATIENCE):
            log = (self.folder / "server.log").read_text()
            lines = [line for line in log.splitlines() if text in line]
            if len(lines) >= times:
                return lines[-1]
            (other,) = {*self._times} - {text}
            assert log.count(other) == self._times[other], log
            threading.Event().wait(0.1)
        raise AssertionError(f"{text!r} is not {times} times in the log:\n{log}")


def predict(client, token="", url=""):
    headers = {**HEADERS, "Authorization": f"Bearer {token}"} if token else HEADERS
    return client.post(f"{url}/predict/image", content=BODY, headers=headers)


def statuses(url, token, **client):
    """Ask on connections of their own, so that all workers are asked."""
    found = set()
    for _ in range(16):
        with httpx.Client(base_url=url, timeout=PATIENCE, **client) as one:
            found.add(predict(one, token).status_code)
    return found


def test_no_request_is_lost_while_settings_change(tmp_path):
    write_bundle(tmp_path / "models" / "linear" / "1")
    write_bundle(tmp_path / "models" / "linear" / "2")
    ModelStore(tmp_path / "models").set_label("linear", "canary", 1)
    configure(tmp_path, verbose=1, accessLog=False)
    ended = threading.Event()

    def ask(url):
        """Ask on one connection until the end; return the answers by their kind."""
        answers = {}
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            # A pause leaves the processor to the service, on a busy machine, too.
            while not ended.wait(0.002):
                reply = predict(client)
                kind = reply.status_code, reply.text
                answers[kind] = answers.get(kind, 0) + 1
        return answers

    with (
        serving(f"{RUNTIME} --workers 2", tmp_path) as server,
        ThreadPoolExecutor(4) as pool,
    ):
        told = Reloading(server, tmp_path)
        asking = [pool.submit(ask, server.url) for _ in range(4)]
        with contextlib.ExitStack() as end:
            end.callback(ended.set)
            for number in range(6):
                told.reload(
                    verbose=number % 2,
                    accessLog=False,
                    rate="" if number % 2 else "1000000-S",
                    traffic={"canary": 10 * number},
                    shadow="canary" if number % 3 else "",
                    timeoutMs=1000 * (60 + number),
                    models={"linear": {"maxBatchSize": 1 + number}},
                )
            (tmp_path / "config.json").write_text('{"rate": "of no kind"}')
            assert "'rate' is 'of no kind'" in told.reload(REFUSED)
        answers = {}
        for one in asking:
            for kind, count in one.result(PATIENCE).items():
                answers[kind] = answers.get(kind, 0) + count
        assert set(answers) == {(200, "[1.0,2.0,7.0]\n")}
        assert sum(answers.values()) > 100


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Start a server that speaks TLS and asks for tokens."""
    folder = tmp_path_factory.mktemp("secured")
    write_bundle(folder / "models" / "linear" / "1")
    certify(folder, "first")
    settings = {
        "verbose": 1,
        "serverKey": "key.pem",
        "serverCrt": "crt.pem",
        "predictTokens": [digest("one")],
    }
    configure(folder, **settings)
    with serving(f"{RUNTIME} --workers 2", folder) as server:
        reloading = Reloading(server, folder)
        reloading.settings = settings
        yield reloading


def test_old_tokens_are_refused_and_new_ones_taken(secured):
    assert statuses(secured.url, "one", verify=False) == {200}
    settings = {**secured.settings, "predictTokens": [digest("two")]}
    line = secured.reload(**settings, port=1)
    assert line.endswith("changed: predictTokens")
    assert digest("two") not in line
    assert statuses(secured.url, "one", verify=False) == {401}
    assert statuses(secured.url, "two", verify=False) == {200}
    # The flag --port goes before the file, as at the start; --workers does, too.
    log = (secured.folder / "server.log").read_text()
    assert "need a restart" not in log
    secured.settings = settings


def test_a_broken_file_changes_nothing(secured):
    (token,) = secured.settings["predictTokens"]
    before = (secured.folder / "config.json").read_text()
    # The first key of the file is right, and would take effect.
    line = secured.reload(REFUSED, predictTokens=[digest("three")], timoutMs=1)
    assert "did you mean 'timeoutMs'?" in line
    assert statuses(secured.url, "three", verify=False) == {401}
    assert statuses(secured.url, "two", verify=False) == {200}
    with httpx.Client(base_url=secured.url, verify=False) as client:
        client.headers["Authorization"] = "Bearer two"
        told = client.get("/status").json()["settings"]
        assert told["refused"] > told["read"]
        shown = client.get("/metrics").text
        assert 'tfaas_config_reloads_total{result="refused"} 1.0' in shown
        assert "tfaas_config_last_reload_successful 0.0" in shown
        (secured.folder / "config.json").write_text(before)
        secured.reload()
        assert client.get("/status").json()["settings"]["refused"] is None
        assert "tfaas_config_last_reload_successful 1.0" in client.get("/metrics").text
    assert secured.settings["predictTokens"] == [token]


def test_what_needs_a_restart_is_named_and_waits(secured):
    secured.reload(**secured.settings, threads=7, grpcPort=1)
    log_with(secured.folder, "these keys need a restart, and their old values hold:")
    with httpx.Client(base_url=secured.url, verify=False) as client:
        client.headers["Authorization"] = "Bearer two"
        told = client.get("/status").json()
        assert told["settings"]["needRestart"] == ["grpcPort", "threads"]
        assert told["threads"] == 4
    # Without its key, the service would speak no TLS, and it goes on to do so.
    plain = {k: v for k, v in secured.settings.items() if not k.startswith("server")}
    secured.reload(**plain)
    log_with(secured.folder, "old values hold: serverKey, serverCrt")
    assert statuses(secured.url, "two", verify=False) == {200}


def shown(url):
    """Return the certificate that new connections get, in DER, of several of them."""
    address = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    found = set()
    for _ in range(8):
        with (
            socket.create_connection((address.hostname, address.port)) as plain,
            context.wrap_socket(plain) as connection,
        ):
            found.add(connection.getpeercert(binary_form=True))
    return found


def der(folder):
    return ssl.PEM_cert_to_DER_cert((folder / "crt.pem").read_text())


def test_new_connections_get_the_new_certificate(secured):
    first = der(secured.folder)
    assert shown(secured.url) == {first}
    with httpx.Client(base_url=secured.url, verify=False, timeout=PATIENCE) as kept:
        assert predict(kept, "two").json() == ANSWER
        certify(secured.folder, "second")
        second = der(secured.folder)
        secured.reload(**secured.settings)
        assert first != second
        assert shown(secured.url) == {second}
        assert predict(kept, "two").json() == ANSWER, "its connection goes on"
    # The key does not fit this certificate.
    key = (secured.folder / "key.pem").read_text()
    certify(secured.folder, "third")
    (secured.folder / "key.pem").write_text(key)
    assert "'serverKey' key.pem and 'serverCrt' crt.pem" in secured.reload(REFUSED)
    assert shown(secured.url) == {second}
    assert statuses(secured.url, "two", verify=False) == {200}


def test_a_worker_that_takes_another_s_place_has_the_new_settings(secured):
    certify(secured.folder, "fourth")
    tokens = secured.folder / "tokens"
    tokens.write_text(digest("four"))
    settings = {**secured.settings, "predictTokens": []}
    secured.reload(**settings, predictTokensFile="tokens")
    shown_before = shown(secured.url)
    # Somebody is about to change the files, and has not yet sent SIGHUP.
    tokens.write_text(digest("five")[:20])
    key = (secured.folder / "key.pem").read_text()
    (secured.folder / "key.pem").write_text("")
    killed = secured.server.workers()
    for worker in killed:
        worker.kill()
    psutil.wait_procs(killed, PATIENCE)
    assert statuses(secured.url, "two", verify=False) == {401}
    assert statuses(secured.url, "four", verify=False) == {200}
    assert shown(secured.url) == shown_before == {der(secured.folder)}
    tokens.write_text(digest("four"))
    (secured.folder / "key.pem").write_text(key)
    with httpx.Client(base_url=secured.url, verify=False) as client:
        client.headers["Authorization"] = "Bearer four"
        assert client.get("/status").json()["settings"]["needRestart"] == []


def beside(service, *words):
    """Type a command of ``runtime`` beside the service, with its port."""
    return subprocess.run(
        ["runtime", *words],
        cwd=service.folder,
        env={**ENVIRONMENT, "TFAAS_PORT": str(urlsplit(service.url).port)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_doctor_knows_a_service_that_runs(secured):
    done = beside(secured, "doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["fine"]) == (0, True), told["findings"]
    assert any("a service answers there" in one["sentence"] for one in told["findings"])
    assert told["settings"]["serverKey"]["value"] == "key.pem"
    assert digest("two") not in done.stdout
    done = beside(secured, "doctor", "--server-crt", "none.pem")
    assert done.returncode == 1
    assert "'serverCrt' is none.pem, which cannot be read" in done.stdout


def test_the_container_s_question_is_answered_without_a_token(secured):
    def check(*arguments):
        return beside(secured, "healthcheck", *arguments)

    done = check("--ready")
    assert (done.returncode, done.stdout) == (0, f"{secured.url}/readyz is ready\n")
    assert check("--url", secured.url, "--cacert", "crt.pem").returncode == 0
    done = check("--url", secured.url)
    assert done.returncode == 1
    assert "self-signed certificate" in done.stderr
    done = check("--url", secured.url.replace("https", "http"))
    assert done.returncode == 1
    assert "no HTTP" in done.stderr


HUNG_UP = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("runtime", ["runtime", "serve", "--port", "0", "--workers", "1"])
"""


def test_a_terminal_that_is_closed_ends_the_service(tmp_path):
    ours, theirs = pty.openpty()
    log = tmp_path / "out"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", HUNG_UP],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdin=theirs,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    os.close(theirs)
    try:
        for _ in range(10 * PATIENCE):
            if "Ctrl-C stops" in log.read_text():
                break
            threading.Event().wait(0.1)
        process.send_signal(signal.SIGHUP)  # its terminal is there
        for _ in range(10 * PATIENCE):
            if DONE in log.read_text():
                break
            threading.Event().wait(0.1)
        os.close(ours)
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
