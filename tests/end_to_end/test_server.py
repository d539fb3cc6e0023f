"""`runtime serve` is tested: its processes, signals, TLS and handling of bodies."""

import contextlib
import json
import re
import signal
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from runtime.walls import standing
from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, WAITRESS, run, serving
from tests.examples import WEIGHTS, linear_onnx, slow_onnx, tar_of, write_bundle
from tests.forms import form, png

IMAGE = png([[1, 2], [3, 4]])
BODY, HEADERS = form(image=IMAGE, model="linear")
ANSWER = [1, 2, 7]
SERVERS = [WAITRESS, RUNTIME]


@pytest.fixture
def folder(tmp_path):
    """Return a working folder with a store of one small model."""
    return filled(tmp_path)


def filled(folder, **settings):
    write_bundle(folder / "models" / "linear" / "1")
    configure(folder, **settings)
    return folder


def configure(folder, **settings):
    # Without "verbose", waitress does not print its address.
    (folder / "config.json").write_text(json.dumps({"verbose": 1, **settings}))


def predict(url, client=CLIENT):
    return client.post(
        f"{url}/predict/image",
        content=BODY,
        headers=HEADERS,
    )


def connect(url):
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), PATIENCE)


def head(path, *headers, method="POST"):
    lines = (
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def rest_of(client):
    """Read until the server closes; return the last reply's status and its JSON."""
    received = b""
    while piece := client.recv(1 << 16):
        received += piece
    *_, last = received.split(b"HTTP/1.1 ")
    start, _, body = last.partition(b"\r\n\r\n")
    return int(start[:3]), json.loads(body) if body else None


# -- bodies ---------------------------------------------------------------------------


def chunked(body, size=7):
    """Return a body in chunks; the parser must not depend on where they end."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (*pieces, b""))


@pytest.fixture(scope="module", params=SERVERS)
def server(request, tmp_path_factory):
    """Start a server of each kind, with its folder, for all tests of bodies."""
    folder = filled(tmp_path_factory.mktemp("bodies"), maxBodyBytes=1000)
    with serving(request.param, folder) as server:
        server.folder = folder
        yield server


def test_bodies_are_read_with_and_without_their_length(server, tmp_path):
    double = write_bundle(
        tmp_path / "b", name="double", onnx_bytes=linear_onnx(WEIGHTS * 2)
    )
    kind = f"Content-Type: {HEADERS['Content-Type']}"
    for length in (f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"):
        body = BODY if "Length" in length else chunked(BODY)
        for expect in ((), ("Expect: 100-continue",)):
            with connect(server.url) as client:
                client.sendall(head("/predict/image", length, kind, *expect))
                if expect:
                    assert client.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
                client.sendall(body)
                assert rest_of(client) == (200, ANSWER)
    with connect(server.url) as client:
        coding = ("Transfer-Encoding: chunked", "Content-Encoding: gzip")
        client.sendall(head("/upload", *coding) + chunked(tar_of(double), 1000))
        assert rest_of(client)[1]["version"] == 1
    body, headers = form(image=IMAGE, model="double")
    reply = CLIENT.post(f"{server.url}/predict/image", content=body, headers=headers)
    assert reply.json() == [2 * score for score in ANSWER]


def test_bodies_above_their_limit_are_refused_with_and_without_their_length(server):
    body, headers = form(image=b"x" * 5000, model="linear")
    kind = f"Content-Type: {headers['Content-Type']}"
    for length in (f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"):
        with connect(server.url) as client:
            sent = body if "Length" in length else chunked(body, 1000)
            client.sendall(head("/predict/image", length, kind) + sent)
            status, reply = rest_of(client)
        assert status == 413
        assert reply == {"error": "the body is larger than 1000 bytes"}


def test_a_body_that_is_cut_short_is_no_upload(server, tmp_path):
    archive = tar_of(write_bundle(tmp_path / "b"))
    for start in (
        head("/upload", f"Content-Length: {len(archive)}") + archive[:200],
        head("/upload", "Transfer-Encoding: chunked") + chunked(archive)[:200],
    ):
        with connect(server.url) as client:
            client.sendall(start)
    assert predict(server.url).headers["X-Model-Version"] == "1"
    model = server.folder / "models" / "linear"
    assert [path.name for path in model.iterdir()] == ["1"]


def test_files_and_heads_are_sent_as_they_are(server):
    model = server.folder / "models" / "linear" / "1" / "model.onnx"
    content = model.read_bytes()
    for method in ("GET", "HEAD"):
        reply = CLIENT.request(method, f"{server.url}/download/linear/model.onnx")
        assert reply.headers["Content-Length"] == str(len(content))
        assert reply.content == (content if method == "GET" else b"")


# -- processes ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    """Start a server with three workers, for tests that do not harm its processes."""
    folder = filled(tmp_path_factory.mktemp("crew"))
    with serving(f"{RUNTIME} --workers 3", folder) as server:
        yield server


def test_where_uvloop_is_missing_asyncios_loop_serves(crew, folder):
    assert CLIENT.get(f"{crew.url}/status").json()["loop"] == "uvloop"
    # Python imports this first, and then finds no uvloop.
    (folder / "sitecustomize.py").write_text('import sys\nsys.modules["uvloop"] = None')
    without = f'env PYTHONPATH="{folder}:$PYTHONPATH" {RUNTIME} --workers 1'
    with serving(without, folder) as other:
        assert predict(other.url).json() == ANSWER
        assert CLIENT.get(f"{other.url}/status").json()["loop"] == "asyncio"


def test_connections_are_dealt_out_among_the_workers_of_one_port(crew):
    """From a shared socket, the first worker to wake would take all connections."""
    port = urlsplit(crew.url).port
    with contextlib.ExitStack() as opened:
        for _ in range(32):
            client = opened.enter_context(connect(crew.url))
            client.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        held = [
            sum(
                connection.status == psutil.CONN_ESTABLISHED
                and connection.laddr.port == port
                for connection in worker.net_connections("tcp")
            )
            for worker in crew.workers()
        ]
    assert (len(held), sum(held)) == (3, 32)
    assert min(held) > 0


def test_a_worker_that_is_killed_is_replaced(folder):
    with serving(f"{RUNTIME} --workers 2 --log-file log", folder) as server:
        # The parent must bear any number of deaths.
        for _ in range(3):
            killed = server.workers()
            for worker in killed:
                worker.kill()
            psutil.wait_procs(killed, PATIENCE)
            # The connection waits in the socket's queue until a worker is there.
            assert predict(server.url).json() == ANSWER
        assert server.process.poll() is None
        shown = CLIENT.get(f"{server.url}/metrics").text
    # One of the two may still start, or was killed before it counted.
    assert (
        3
        <= float(re.search(r"^tfaas_workers_replaced_total (.*)$", shown, re.M)[1])
        <= 6
    )
    (log,) = folder.glob("log-*")
    assert "a worker process was killed by SIGKILL; another takes" in log.read_text()


def test_a_worker_that_hangs_is_replaced(folder):
    """A stopped process still holds its socket, and takes connections from it."""
    with serving(f"{RUNTIME} --workers 2 --log-file log", folder) as server:
        stopped, _ = server.workers()
        stopped.suspend()
        assert psutil.wait_procs([stopped], PATIENCE)[1] == []
        for _ in range(8):
            assert predict(server.url).json() == ANSWER
    (log,) = folder.glob("log-*")
    assert "a worker process hangs, and is killed" in log.read_text()


def test_no_worker_outlives_its_parent(folder):
    with serving(f"{RUNTIME} --workers 2", folder) as server:
        workers = server.workers()
        assert len(workers) == 2
        metrics = workers[0].environ()["PROMETHEUS_MULTIPROC_DIR"]
        server.kill()
        assert psutil.wait_procs(workers, PATIENCE)[1] == []
        run(f"test ! -e {metrics}", folder)


def test_the_parent_loads_no_engine(crew):
    assert predict(crew.url).json() == ANSWER
    parent = psutil.Process(crew.process.pid)
    assert not any("onnxruntime" in m.path for m in parent.memory_maps())
    mapped = [m.path for worker in crew.workers() for m in worker.memory_maps()]
    assert any("onnxruntime" in path for path in mapped), "it is where it should be"


def test_a_port_that_is_taken_is_a_sentence(crew, folder):
    port = urlsplit(crew.url).port
    output = run(f"runtime serve --port {port}", folder, code=1)
    assert output == (
        f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_answers_what_it_holds(folder, number):
    with serving(RUNTIME, folder) as server, connect(server.url) as client:
        workers = server.workers()
        kind = f"Content-Type: {HEADERS['Content-Type']}"
        length = f"Content-Length: {len(BODY)}"
        expect = "Expect: 100-continue"
        client.sendall(head("/predict/image", length, kind, expect))
        # This reply shows that the worker has begun to read the body.
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
        # A terminal or a process manager signals every process, and some of them twice.
        for process in (psutil.Process(server.process.pid), *workers):
            process.send_signal(number)
        wait_until_refused(server.url)
        client.sendall(BODY)
        assert rest_of(client) == (200, ANSWER)
        assert server.process.wait(PATIENCE) == 0
        assert psutil.wait_procs(workers, PATIENCE)[1] == []


def wait_until_refused(url):
    while True:
        # A connection that comes while the queue is being closed is reset.
        with contextlib.suppress(ConnectionResetError):
            try:
                connect(url).close()
            except ConnectionRefusedError:
                return


def test_an_impatient_end_waits_for_nobody(folder):
    with (
        serving(f"{RUNTIME} --workers 1", folder) as server,
        connect(server.url) as client,
    ):
        client.sendall(head("/predict/image", "Content-Length: 9", "Content-Type: x"))
        server.process.send_signal(signal.SIGINT)
        wait_until_refused(server.url)
        server.process.send_signal(signal.SIGINT)
        # The server would wait for the client twice as long as this.
        server.process.wait(10)


def begin(client, *headers):
    """Send a prediction but for its last byte."""
    kind = f"Content-Type: {HEADERS['Content-Type']}"
    length = f"Content-Length: {len(BODY)}"
    client.sendall(head("/predict/image", length, kind, *headers) + BODY[:-1])


def begin_and_be_heard(client):
    begin(client, "Expect: 100-continue")
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 100 ")


def test_waitress_answers_what_it_holds_before_it_ends(folder):
    with serving(WAITRESS, folder) as server, connect(server.url) as client:
        begin_and_be_heard(client)
        server.process.terminate()
        wait_until_refused(server.url)
        client.sendall(BODY[-1:])
        assert rest_of(client) == (200, ANSWER)
        assert server.process.wait(PATIENCE) == 0


def test_waitress_waits_no_longer_than_it_may(folder):
    configure(folder, drainSeconds=1)
    with serving(WAITRESS, folder) as server, connect(server.url) as client:
        begin_and_be_heard(client)
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


def test_waitress_ends_at_once_if_it_is_asked_twice(folder):
    with serving(WAITRESS, folder) as server, connect(server.url) as client:
        begin_and_be_heard(client)
        server.process.terminate()
        wait_until_refused(server.url)
        server.process.terminate()
        assert server.process.wait(10) == 128 + signal.SIGTERM


@pytest.mark.parametrize("command", [WAITRESS, f"{RUNTIME} --workers 2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_log_has_the_last_requests_of_a_server_that_ends(folder, command, number):
    with serving(command, folder) as server:
        for request in range(10):
            headers = {**HEADERS, "X-Request-Id": f"last-{request}"}
            url = f"{server.url}/predict/image"
            # Each worker gets some of the connections.
            assert httpx.post(url, content=BODY, headers=headers).json() == ANSWER
        server.process.send_signal(number)
        server.process.wait(PATIENCE)
    lines = (folder / "server.log").read_text().splitlines()
    ids = [line.rpartition("=")[2] for line in lines if "runtime.requests:" in line]
    assert sorted(ids) == [f"last-{request}" for request in range(10)]


# -- clients that are slow, and models that are ----------------------------------------

SLOW_MODEL = slow_onnx()


@pytest.fixture
def slow(folder):
    """Add a model to the folder that takes a tenth of a second or more."""
    return with_slow(folder)


def with_slow(folder):
    write_bundle(folder / "models" / "slow" / "1", name="slow", onnx_bytes=SLOW_MODEL)
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Start a server of one process, with both models."""
    folder = with_slow(filled(tmp_path_factory.mktemp("one")))
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        yield server


def test_slow_clients_hold_no_thread(one):
    """Sixteen times as many clients as there are threads send half a request each."""
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(connect(one.url)) for _ in range(64)]
        for client in clients:
            begin(client)
        assert predict(one.url).json() == ANSWER
        for client in clients:
            client.sendall(BODY[-1:])
            assert rest_of(client) == (200, ANSWER)


def test_health_and_quick_models_do_not_wait_for_slow_ones(one):
    body, headers = form(image=IMAGE, model="slow")

    def ask():
        return CLIENT.post(
            f"{one.url}/predict/image", content=body, headers=headers, timeout=PATIENCE
        )

    with ThreadPoolExecutor(32) as pool:
        assert ask().status_code == 200  # this loads the model
        began = time.monotonic()
        ask()
        took = time.monotonic() - began
        asked = [pool.submit(ask) for _ in range(32)]
        waits = []
        for _ in range(5):
            began = time.monotonic()
            assert CLIENT.get(f"{one.url}/readyz").status_code == 200
            assert predict(one.url).json() == ANSWER
            if not all(future.done() for future in asked):
                waits.append(time.monotonic() - began)
        assert {future.result().status_code for future in asked} == {200}
    assert min(waits) < took


def test_more_than_may_wait_are_told_at_once_to_come_again(slow):
    configure(slow, maxQueue=2, threads=1)
    body, headers = form(image=IMAGE, model="slow")

    def ask(url):
        return CLIENT.post(
            f"{url}/predict/image", content=body, headers=headers, timeout=PATIENCE
        )

    with serving(f"{RUNTIME} --workers 1", slow) as server:
        assert ask(server.url).status_code == 200  # this loads the model
        with ThreadPoolExecutor(12) as pool:
            replies = list(pool.map(ask, [server.url] * 12))
        codes = sorted(reply.status_code for reply in replies)
        # One runs and two wait. A request that comes when one is done waits in its
        # place.
        assert codes[:3] == [200] * 3
        assert codes[-3:] == [503] * 3
        (refused, *_) = (reply for reply in replies if reply.status_code == 503)
        assert refused.headers["Retry-After"] == "1"
        assert refused.json() == {
            "error": "2 requests wait for the model already; try again in a moment"
        }
        assert predict(server.url).json() == ANSWER


def test_what_waited_too_long_is_not_run(slow):
    configure(slow, threads=1)
    body, headers = form(image=IMAGE, model="slow")
    with serving(f"{RUNTIME} --workers 1", slow) as server:

        def ask(milliseconds):
            return CLIENT.post(
                f"{server.url}/predict/image",
                content=body,
                headers={**headers, "X-Timeout-Ms": milliseconds},
            )

        assert ask("100000").status_code == 200  # this loads the model
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(ask, ["100000"] * 4 + ["20"] * 4))
        assert [reply.status_code for reply in replies[:4]] == [200] * 4
        expired = [reply for reply in replies[4:] if reply.status_code == 504]
        assert len(expired) >= 3
        assert expired[0].json() == {
            "error": "the request's time was over before it could be run"
        }


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--models-dir /dev/null", "'modelDir' is /dev/null, which is not a folder"),
        ("--log-file no/log", "'logFile' is no/log, which cannot be written"),
        ("--config-proto no.pb", "'configProto' is no.pb, which cannot be read"),
        ("--server-key no --server-crt no", "'serverKey' is no, which cannot be read"),
        (
            "--server-key config.json --server-crt config.json",
            "'serverKey' config.json and 'serverCrt' config.json must be a key",
        ),
    ],
)
def test_what_a_worker_cannot_start_with_is_one_sentence(folder, flags, sentence):
    # The command must end before the time that workers get to end.
    output = run(f"timeout 15 {RUNTIME} --workers 2 {flags}", folder, code=2)
    assert output.startswith(f"Error: {sentence}")
    assert output.count("\n") == 1


def test_a_worker_that_dies_at_its_start_is_not_started_forever(folder):
    # This module kills a worker: the folder stands first on its path. The parent does
    # not import falcon.
    (folder / "falcon.py").write_text("import os; os.abort()\n")
    output = run(f"PYTHONPATH=.:$PYTHONPATH {RUNTIME}", folder, code=1)
    assert "a worker process was killed by SIGABRT before it could serve" in output
    assert "http://" not in output


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Run a quiet server with two workers, which predicts and then is told to end."""
    folder = filled(tmp_path_factory.mktemp("quiet"))
    command = f"{RUNTIME} --workers 2 --verbose 0 --no-access-log"
    with serving(command, folder) as server:
        assert predict(server.url).json() == ANSWER
        workers = server.workers()
        variable = "PROMETHEUS_MULTIPROC_DIR"
        (server.metrics,) = {worker.environ()[variable] for worker in workers}
        assert Path(server.metrics).is_dir()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
    server.log = (folder / "server.log").read_text()
    return server


def test_a_quiet_server_says_where_it_is_and_who_may_write(ended):
    where, who, walls, *warnings = ended.log.splitlines()
    assert where == (
        f"serving models/ (1 model) on {ended.url}/"
        "  (2 workers of 4 threads; Ctrl-C stops)"
    )
    assert who == (
        "uploads and other writes are taken from this machine alone, because no"
        " 'writeTokens' are set"
    )
    assert walls.startswith("other people's models are opened behind ")
    assert ("Landlock" in walls) == bool(standing().landlock)
    assert ("seccomp" in walls) == standing().seccomp
    assert len(warnings) == len(standing().missing)


def test_the_workers_counters_meet_in_a_folder_that_goes_with_them(ended):
    assert not Path(ended.metrics).exists()


def test_a_folder_of_ones_own_is_made_and_forgets_the_gauges_of_before(folder):
    for _ in range(2):
        with serving(
            f"env PROMETHEUS_MULTIPROC_DIR=meet/here {RUNTIME} --workers 2", folder
        ) as server:
            workers = server.workers()
            predict(server.url)
            server.kill()
            assert psutil.wait_procs(workers, PATIENCE)[1] == []
    counted = {path.stem.rpartition("_")[2] for path in folder.glob("meet/here/gauge*")}
    assert counted == {str(worker.pid) for worker in workers}


def test_settings_are_shown_without_serving(folder):
    configure(folder, port=1234)
    output = run("TFAAS_THREADS=3 runtime serve --print-config --json", folder)
    assert json.loads(output)["port"] == {"value": 1234, "source": "config.json"}
    assert json.loads(output)["threads"] == {"value": 3, "source": "$TFAAS_THREADS"}


# -- TLS ------------------------------------------------------------------------------


@pytest.fixture
def certified(folder):
    """Return the same folder, with a key and its certificate for this machine."""
    run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        " -keyout key.pem -out crt.pem -days 2 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1",
        folder,
    )
    return folder


SECURE = f"{RUNTIME} --server-key key.pem --server-crt crt.pem"


def test_tls_is_spoken_with_a_key_and_its_certificate(certified):
    trusting = ssl.create_default_context(cafile=certified / "crt.pem")
    with serving(SECURE, certified) as server:
        assert server.url.startswith("https://")
        with httpx.Client(verify=trusting, timeout=PATIENCE) as client:
            assert predict(server.url, client).json() == ANSWER
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            predict(server.url)
        # The server closes, and the rest of the request may reset the connection.
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            predict(server.url.replace("https", "http"))
        spoken = [is_spoken(server.url, v) for v in ("tls1_1", "tls1_2", "tls1_3")]
        assert spoken == [False, True, True]


def is_spoken(url, version):
    """Tell whether the server understands a client that speaks only this version."""
    output = run(
        f"openssl s_client -connect {urlsplit(url).netloc} -{version}"
        " -cipher ALL:@SECLEVEL=0 < /dev/null 2>&1 || true",
        "/",
    )
    return "BEGIN CERTIFICATE" in output


def test_waitress_does_not_answer_in_clear_text_where_tls_is_wanted(certified):
    configure(certified, serverKey="key.pem", serverCrt="crt.pem")
    output = run(WAITRESS, certified, code=1)
    assert "only `runtime serve` speaks TLS" in output
    assert "Traceback" not in output
