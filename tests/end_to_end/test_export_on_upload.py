"""Uploads without ONNX are converted while TensorFlow answers their requests."""

import json
import re
import signal
import threading
from contextlib import ExitStack, contextmanager

import httpx
import psutil
import pytest

from bundle.store import ModelStore
from tests.end_to_end.conftest import PATIENCE, RUNTIME, WAITRESS, log_with, serving
from tests.examples import tar_of
from tests.frozen import ANSWER, ROW, frozen, rows, write_frozen_bundle

pytestmark = pytest.mark.tensorflow

COMMANDS = {"waitress": WAITRESS, "workers": f"{RUNTIME} --workers 2"}
ON = "env TFAAS_EXPORT_ON_UPLOAD=auto"


def texts(v1):
    """Build (None, 4) -> (None, 4) through texts, which no conversion supports."""
    x = v1.placeholder(v1.float32, [None, 4], name="x")
    lengths = v1.strings.length(v1.strings.as_string(x))
    v1.cast(lengths, v1.float32, name="scores")


@pytest.fixture(scope="module")
def graphs():
    return {"rows": frozen(rows), "texts": frozen(texts)}


def configure(folder):
    # With "verbose", waitress prints its address.
    (folder / "config.json").write_text(json.dumps({"verbose": 1}))
    return folder


@pytest.fixture
def folder(tmp_path):
    return configure(tmp_path)


class Service:
    """A server that converts, and the folder in which it runs."""

    def __init__(self, url, folder):
        self.url = url
        self.folder = folder


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Start a server of a kind at its first use, and share it in the whole module.

    Each test has a model with a name of its own there. A new server would import
    TensorFlow for its first upload, which takes longer than most of these tests.
    """
    started = {}
    with ExitStack() as stack:

        def start(kind):
            if kind not in started:
                folder = configure(tmp_path_factory.mktemp(kind))
                server = serving(f"{ON} {COMMANDS[kind]}", folder)
                url = stack.enter_context(server).url
                started[kind] = Service(url, folder)
            return started[kind]

        yield start


@pytest.fixture(params=COMMANDS)
def service(request, services):
    return services(request.param)


# A conversion takes long, so these tests use one kind of server if the kind makes no
# difference.
by_workers = pytest.mark.parametrize("service", ["workers"], indirect=True)


def archive_of(folder, graph, name):
    bundle = write_frozen_bundle(folder / f"upload_{name}", graph, name=name)
    return tar_of(bundle, name)


def publish(folder, graph):
    """Put a version of the model ``frozen`` into the store of a folder."""
    store = ModelStore(folder / "models")
    store.install(lambda staged: write_frozen_bundle(staged, graph))


class Client:
    """A client that asks a server about one model, with a new connection each time."""

    def __init__(self, url, name="frozen"):
        self.name = name
        limits = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(base_url=url, limits=limits, timeout=PATIENCE)

    def upload(self, archive):
        reply = self.client.post("/upload", content=archive)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def predict(self):
        asked = {"keys": [], "values": ROW[0].tolist(), "model": self.name}
        return self.client.post("/predict/json", json=asked)

    def backend(self):
        reply = self.predict()
        assert (reply.status_code, reply.json()) == (200, ANSWER[0]), reply.text
        return reply.headers["X-Model-Backend"]

    def version(self, number=1):
        return self.client.get(f"/models/{self.name}/{number}").json()

    def state(self, number=1):
        return self.version(number)["conversion"]

    def settled(self, number=1):
        """Wait until no conversion runs; return the last state and earlier ones."""
        states = []
        for _ in range(10 * PATIENCE):
            state = self.state(number)
            if state not in states:
                states.append(state)
            if state not in ("converting", "tensorflow: it is not converted yet"):
                return state, states
            threading.Event().wait(0.1)
        raise AssertionError(states)

    def counted(self):
        """Return the number of conversions by their outcome."""
        text = self.client.get("/metrics").text
        line = f'tfaas_conversions_total{{model="{self.name}",'
        line += r'outcome="(\w+)"} (\S+)'
        return {outcome: float(count) for outcome, count in re.findall(line, text)}

    def ended(self, count=1):
        """Wait for ``count`` outcomes; the exporter outlives its model.onnx."""
        for _ in range(10 * PATIENCE):
            if sum((counted := self.counted()).values()) >= count:
                return counted
            threading.Event().wait(0.1)
        raise AssertionError(counted)


@contextmanager
def hammering(client):
    """Let clients ask all the time; give the wrong answers, and the backends.

    Each client rests for a moment between two requests, because the conversion gets
    only the processor time that nobody else wants.
    """
    wrong, backends, end = [], [], threading.Event()

    def ask():
        while not end.wait(0.01):
            reply = client.predict()
            backends.append(reply.headers.get("X-Model-Backend"))
            if (reply.status_code, reply.json()) != (200, ANSWER[0]):
                wrong.append(reply.text)

    def guarded():
        try:
            ask()
        except Exception as ex:  # the connection was cut
            wrong.append(repr(ex))

    threads = [threading.Thread(target=guarded) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield wrong, backends
    finally:
        end.set()
        for thread in threads:
            thread.join(PATIENCE)


def test_the_service_changes_over_and_drops_no_request(service, graphs):
    client = Client(service.url, "over")
    archive = archive_of(service.folder, graphs["rows"], client.name)
    assert client.upload(archive)["backend"] == "tensorflow/cpu", "at once"
    with hammering(client) as (wrong, backends):
        state, states = client.settled()
        assert "converting" in states
        assert re.fullmatch(r"onnx \(parity (0|\d(\.\d)?e-\d+)\)", state)
        # Each process changes the backend at its next request.
        asked = len(backends)
        while len(backends) < asked + 200 and not wrong:
            client.backend()
    assert wrong == []
    assert set(backends) == {
        "tensorflow/cpu",
        "onnxruntime/CPUExecutionProvider",
    }
    last = {client.backend() for _ in range(20)}
    assert last == {"onnxruntime/CPUExecutionProvider"}
    assert client.ended() == {"converted": 1}
    assert client.version()["parity"]["passed"] is True
    log = log_with(service.folder, "converted over version 1")
    assert log.count("converting over version 1") == 1


@by_workers
def test_what_cannot_be_converted_stays_with_tensorflow(service, graphs):
    folder = service.folder
    client = Client(service.url, "texts")
    client.upload(archive_of(folder, graphs["texts"], client.name))
    state, _ = client.settled()
    assert re.match("tensorflow: .*(AsString|StringLength)", state)
    assert str(folder) not in state
    assert client.predict().headers["X-Model-Backend"] == "tensorflow/cpu"
    assert client.ended() == {"refused": 1}
    # The outcome is remembered: the next service does not try again.
    with serving(f"{ON} {COMMANDS['workers']}", folder) as server:
        again = Client(server.url, client.name)
        assert again.state() == state
        assert again.client.get("/livez").status_code == 200
    log = log_with(folder, "texts version 1 is not converted")
    assert log.count("converting texts") == 1


def children_at_work(folder):
    """Return the processes that convert something here, whatever their parent."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if "exporter" in line and any(str(folder) in part for part in line):
            found.append(process)
    return found


def begun(client, folder):
    for _ in range(10 * PATIENCE):
        if client.state() == "converting" and (found := children_at_work(folder)):
            return found
        threading.Event().wait(0.1)
    raise AssertionError("it never began")


ENDS = (
    ("workers", signal.SIGTERM),
    ("workers", signal.SIGKILL),
    ("waitress", signal.SIGTERM),
)


def test_a_service_that_ends_leaves_none_at_work_and_the_next_goes_on(folder, graphs):
    """Three services begin a conversion in turn and end; the fourth completes it."""
    publish(folder, graphs["rows"])
    version = folder / "models" / "frozen" / "1"
    for kind, number in ENDS:
        with serving(f"{ON} {COMMANDS[kind]}", folder) as server:
            found = begun(Client(server.url), folder)
            server.process.send_signal(number)
            server.process.wait(PATIENCE)
            _, alive = psutil.wait_procs(found, PATIENCE)
            assert alive == []
        # Each service ends long before its conversion could be done.
        left = {path.name for path in version.glob("*.*")}
        assert left.isdisjoint({"model.onnx", "parity.json"})
    with serving(f"{ON} {WAITRESS}", folder) as server:
        state, _ = Client(server.url).settled()
        assert state.startswith("onnx (parity ")


def test_two_services_convert_what_both_were_given_once(folder, graphs):
    command = f"{ON} {WAITRESS}"
    for _ in range(2):
        publish(folder, graphs["rows"])
    with serving(command, folder) as one, serving(command, folder) as two:
        clients = Client(one.url), Client(two.url)
        for client in clients:
            for number in (1, 2):
                assert client.settled(number)[0].startswith("onnx (parity ")
            assert client.backend() == "onnxruntime/CPUExecutionProvider"
        counts = [client.counted().get("converted", 0) for client in clients]
        assert sum(counts) <= 2
        for number in (1, 2):
            log = log_with(folder, f"converted frozen version {number}")
            assert log.count(f"converting frozen version {number}") == 1


def test_one_that_takes_too_long_is_killed(folder, graphs):
    publish(folder, graphs["rows"])
    with serving(f"{ON} TFAAS_EXPORT_SECONDS=1 {WAITRESS}", folder) as server:
        client = Client(server.url)
        state, _ = client.settled()
        assert "longer than 1 s (config.json's 'exportSeconds')" in state
        assert client.backend() == "tensorflow/cpu"
        assert children_at_work(folder) == []
        assert client.ended() == {"too_slow": 1}


@by_workers
def test_one_that_is_deleted_meanwhile_leaves_nothing(service, graphs):
    client = Client(service.url, "deleted")
    archive = archive_of(service.folder, graphs["rows"], client.name)
    client.upload(archive)
    found = begun(client, service.folder)
    assert client.client.delete("/models/deleted/1").status_code == 200
    _, alive = psutil.wait_procs(found, PATIENCE)
    assert alive == []
    # The number is used again, for another bundle, which is converted in its turn.
    assert client.upload(archive)["version"] == 1
    assert client.settled()[0].startswith("onnx (parity ")
    assert "deleted" in ModelStore(service.folder / "models").names()
