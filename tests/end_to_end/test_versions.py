"""Two servers share one store, with versions and labels, and agree on what serves.

If one server gets a change over HTTP, the other knows it at its next request.
"""

import contextlib
import json

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bundle.store import ModelStore
from tests.end_to_end.conftest import PATIENCE, RUNTIME, WAITRESS, serving
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle

ROW = {"keys": [], "values": [1, 2, 3, 4]}

# Each server is asked so often, which is enough to meet both of two workers.
TURNS = 4

# The servers keep so many versions, besides those that have labels.
KEPT = 3

COMMANDS = {"waitress": WAITRESS, "workers": f"{RUNTIME} --workers 2"}


def answer_of(factor):
    """Return the row 1, 2, 3, 4 times tests.examples.WEIGHTS and the factor."""
    return [factor, 2 * factor, 7 * factor]


class Server:
    """A client that asks one server about one model, each time by a new connection."""

    def __init__(self, url, name, archive_of):
        limits = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(base_url=url, limits=limits, timeout=PATIENCE)
        self.name = name
        self.archive_of = archive_of

    def call(self, method, path, status=200, **request):
        reply = self.client.request(method, path, **request)
        assert reply.status_code == status, reply.text
        return reply.json()

    def upload(self, factor):
        """Publish a version whose scores are those of WEIGHTS, times the factor."""
        return self.call("POST", "/upload", content=self.archive_of(factor))

    def put(self, label, version, status=200):
        path = f"/models/{self.name}/labels/{label}"
        return self.call("PUT", path, status, json={"version": version})

    def delete(self, path, status=200):
        return self.call("DELETE", f"/models/{self.name}/{path}", status)

    def ask(self, **query):
        row = {**ROW, "model": self.name}
        return self.client.post("/predict/json", json=row, params=query)

    def version(self, **query):
        """Return the version that answers, checked by its header and by its numbers."""
        reply = self.ask(**query)
        assert reply.status_code == 200, reply.text
        version = int(reply.headers["X-Model-Version"])
        assert reply.json() == answer_of(version)
        return version

    def answered(self, times, **query):
        """Ask ``times`` times; return how often each version answered."""
        versions = [self.version(**query) for _ in range(times)]
        return {version: versions.count(version) for version in set(versions)}

    def counted(self, name, **labels):
        """Return a counter of /metrics, summed over all workers."""
        text = self.client.get("/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


class Servers:
    """Clients that ask every server, and expect the same answer of each."""

    def __init__(self, servers):
        self.servers = servers

    def __iter__(self):
        return iter(self.servers)

    def version(self, **query):
        answered = {
            server.version(**query) for server in self.servers for _ in range(TURNS)
        }
        assert len(answered) == 1, "the servers differ"
        return answered.pop()

    def error(self, status, **query):
        replies = [server.ask(**query) for server in self.servers for _ in range(TURNS)]
        assert {reply.status_code for reply in replies} == {status}
        (sentence,) = {reply.json()["error"] for reply in replies}
        return sentence

    def stored(self):
        """Return the serving version, labels and versions, as every server tells them.

        The rest of their answers depends on the memory of the process that was asked.
        """
        told = []
        for server in self.servers:
            model = server.call("GET", f"/models/{server.name}")
            numbers = [version["version"] for version in model["versions"]]
            told.append((model["serves"], model["labels"], numbers))
        assert all(other == told[0] for other in told), "the servers differ"
        return told[0]


class Place:
    """A folder with a store, for servers of one kind."""

    def __init__(self, folder, command):
        self.folder = folder
        self.command = command
        # With "verbose", waitress prints its address.
        (folder / "config.json").write_text(json.dumps({"verbose": 1}))
        # Some tests put versions into the store itself that no upload would accept.
        self.store = ModelStore(folder / "models")

    def serving(self, **config):
        """Start a server; ``config`` adds to config.json for this server alone."""
        texts = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in config.items()
        }
        settings = " ".join(f"TFAAS_{key}='{text}'" for key, text in texts.items())
        return serving(f"env {settings} {self.command}", self.folder)


@pytest.fixture(scope="module", params=COMMANDS)
def place(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return Place(folder, COMMANDS[request.param])


@pytest.fixture(scope="module")
def urls(place):
    """Start two servers for all tests, each of which has a model of its own.

    They give a canary no share, and keep three versions; only one test has more.
    """
    config = {"KEEP_VERSIONS": KEPT, "TRAFFIC": {"canary": 0}}
    with place.serving(**config) as one, place.serving(**config) as two:
        yield one.url, two.url


@pytest.fixture
def name(request):
    """Return the name of the test's own model."""
    return request.node.originalname[:100]


@pytest.fixture
def asking(tmp_path, name):
    """Return a function that makes clients of servers, which know the test's model."""

    def archive_of(factor):
        onnx_bytes = linear_onnx(np.dot(WEIGHTS, factor))
        folder = write_bundle(tmp_path / "upload", name=name, onnx_bytes=onnx_bytes)
        return tar_of(folder, name)

    with contextlib.ExitStack() as stack:

        def ask(*urls):
            servers = [Server(url, name, archive_of) for url in urls]
            for server in servers:
                stack.callback(server.client.close)
            return Servers(servers)

        yield ask


@pytest.fixture
def both(urls, asking):
    return asking(*urls)


@pytest.fixture
def start(place, asking):
    """Return a function that starts one more server, with its own config."""
    with contextlib.ExitStack() as stack:

        def start_one(**config):
            return asking(stack.enter_context(place.serving(**config)).url)

        yield start_one


def publish_broken(place, name):
    return place.store.install(
        lambda folder: write_bundle(folder, name=name, onnx_bytes=b"x")
    ).number


def test_what_one_server_is_told_of_labels_the_other_obeys(both, name):
    here, there = both
    assert here.upload(1)["version"] == 1
    assert both.version() == 1
    assert there.upload(2) == {
        "name": name,
        "version": 2,
        "backend": "onnxruntime/CPUExecutionProvider",
        "fallback_reason": "",
        "warm_up": "",
        "serves": 2,
    }
    assert both.version() == 2, "the newest"
    assert both.version(version=1) == 1
    here.put("canary", 1)
    assert both.version(label="canary") == 1
    assert "no label 'stable'" in both.error(404, label="stable")
    there.put("stable", 1)
    assert both.version() == 1
    # While a version is stable, a new one waits. It answers only requests that ask for
    # it.
    assert here.upload(3)["serves"] == 1
    assert both.version() == 1
    assert both.version(version=3) == 3
    there.put("canary", 3)
    assert both.version(label="canary") == 3
    assert both.stored() == (1, {"canary": 3, "stable": 1}, [1, 2, 3])
    # One PUT releases a version, and one PUT goes back.
    here.put("stable", 3)
    assert both.version() == 3
    there.put("stable", 1)
    assert both.version() == 1
    here.delete("labels/stable")
    assert both.version() == 3
    assert both.stored() == (3, {"canary": 3}, [1, 2, 3])
    there.delete("labels/canary")
    assert "no label 'canary'" in both.error(404, label="canary")


def test_what_one_server_deletes_the_other_does_not_find(both, name):
    here, there = both
    for number in (1, 2, 3):
        assert here.upload(number)["version"] == number
    assert both.version() == 3
    here.put("canary", 2)
    assert "labelled 'canary'" in there.delete("2", 409)["error"]
    assert both.version(version=2) == 2
    there.delete("labels/canary")
    there.delete("2")
    assert "no version 2" in both.error(404, version=2)
    here.delete("3")
    assert both.version() == 1
    there.delete("1")
    assert f"no model '{name}'" in both.error(404)
    # The name and its numbers are used again, for models that answer otherwise.
    here.upload(1)
    here.upload(2)
    assert both.version() == 2
    there.call("DELETE", f"/delete/{name}")
    assert there.upload(1)["version"] == 1
    assert both.version() == 1
    assert both.version(version=1) == 1


def test_a_label_goes_to_what_is_there_and_loads_alone(both, place, name):
    here, _ = both
    here.upload(1)
    here.put("stable", 1)
    assert publish_broken(place, name) == 2
    for server in both:
        sentence = server.put("stable", 2, 422)["error"]
        assert f"version 2 of '{name}' cannot be loaded, so no label" in sentence
        assert "no version 3" in server.put("stable", 3, 404)["error"]
        assert "no name for a label" in server.put("1", 1, 400)["error"]
        assert "no label 'canary'" in server.delete("labels/canary", 404)["error"]
    assert both.stored() == (1, {"stable": 1}, [1, 2])
    assert both.version() == 1
    assert "version 2 cannot be loaded" in both.error(500, version=2)


def test_a_broken_version_never_takes_over(both, start, place, name):
    here, there = both
    here.upload(1)
    here.upload(2)
    assert both.version() == 2
    assert publish_broken(place, name) == 3
    assert both.version() == 2
    # The broken version does not serve under the label "stable".
    place.store.set_label(name, "stable", 3)
    assert {server.version() for server in both for _ in range(TURNS)} <= {1, 2}
    # It does not serve in a process either that has never seen another version.
    assert start().version() == 2
    there.upload(4)
    there.put("stable", 4)
    assert both.version() == 4


def test_the_oldest_go_when_there_are_more_than_are_kept(both):
    here, there = both
    here.upload(1)
    there.put("stable", 1)
    for number in (2, 3, 4, 5, 6):
        (here if number % 2 else there).upload(number)
        assert both.version() == 1
    # The labelled version stays, and is not counted.
    assert both.stored() == (1, {"stable": 1}, [1, 4, 5, 6])
    assert "no version 3" in both.error(404, version=3)
    there.delete("labels/stable")
    assert here.upload(7)["serves"] == 7
    assert "no version 1" in both.error(404, version=1)


def test_a_canary_gets_its_share_of_what_says_no_version(both, start, place, name):
    none, _ = both
    (half,), (all_of_it,) = (start(TRAFFIC={"canary": share}) for share in (50, 100))
    none.upload(1)
    none.put("stable", 1)
    none.upload(2)
    none.put("canary", 2)
    assert none.answered(30) == {1: 30}
    assert all_of_it.answered(30) == {2: 30}
    assert all_of_it.answered(5, label="stable") == {1: 5}
    assert all_of_it.answered(5, version=1) == {1: 5}
    answered = half.answered(200)
    # The bound is six standard deviations of 200 throws at a half.
    assert abs(answered[2] - 100) < 6 * np.sqrt(50)
    # A broken canary harms nobody: the canary of before goes on, or the default serves.
    place.store.set_label(name, "canary", publish_broken(place, name))
    assert set(half.answered(40)) == {1, 2}
    (fresh,) = start(TRAFFIC={"canary": 100})
    assert fresh.answered(10) == {1: 10}
    # A canary without its label gets nothing.
    none.delete("labels/canary")
    assert all_of_it.answered(10) == {1: 10}


def test_a_shadow_changes_no_answer_and_is_counted_where_it_differs(both, start, name):
    told, _ = both
    (shadowed,) = start(SHADOW="shadow")
    told.upload(1)
    told.put("stable", 1)
    # The best class is now 0, and not 2.
    told.upload(np.fliplr(np.eye(3)))
    assert shadowed.answered(5) == {1: 5}

    def compared(agreed):
        versions = {"model": name, "version": "1", "shadow_version": "2"}
        return shadowed.counted("tfaas_shadow_total", **versions, agreed=agreed)

    assert compared("no") == 0
    told.put("shadow", 2)
    for _ in range(500):
        assert shadowed.version() == 1
        if compared("no"):
            break
    assert compared("no")
    assert compared("yes") == compared("failed") == 0
    assert told.counted("tfaas_shadow_total") == 0
