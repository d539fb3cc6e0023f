"""Serving on a cluster of Ray: two nodes, a third that dies, updates and kills."""

from __future__ import annotations

import collections
import hashlib
import json
import os
import re
import threading
from contextlib import contextmanager, suppress

import httpx
import psutil
import pytest

from tests.cluster import until
from tests.end_to_end.conftest import CLIENT, ENVIRONMENT, PATIENCE, run
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle
from tfaas_onnx import Client, ClientError

pytestmark = pytest.mark.cluster

IS_LONG = os.environ.get("CLUSTER", "short") != "short"
long_form = pytest.mark.skipif(not IS_LONG, reason="make cluster-test runs it")

TOKEN = "a-token-of-this-test"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
ROW = {"keys": ["a", "b", "c", "d"], "values": [1, 2, 3, 4], "model": "linear"}
SCORES = [1.0, 2.0, 7.0]  # the last class has the sum of two pixels
# Without a pause the clients would take the processors that new replicas need.
PAUSE = 0.02
REPLICA = "ServeReplica:tfaas-onnx:replica"


def command(cluster, **options):
    flags = " ".join(
        f"--{name.replace('_', '-')} {value}" for name, value in options.items()
    )
    return (
        f"runtime serve --ray --address {cluster.address} --port {cluster.http_port}"
        f" --write-tokens {DIGEST} {flags}"
    )


@pytest.fixture(scope="module")
def served(cluster, tmp_path_factory):
    """Return a folder whose store two replicas serve, one on each node."""
    folder = tmp_path_factory.mktemp("served")
    write_bundle(folder / "models" / "linear" / "1")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setitem(ENVIRONMENT, name, value)
        told = run(
            command(cluster, min_replicas=2, preload="linear", cpus_per_replica=1),
            folder,
        )
        assert f"http://127.0.0.1:{cluster.http_port}" in told
        assert "2 replicas on the cluster" in told
        yield folder
        assert (
            run(f"runtime serve --ray --address {cluster.address} --stop", folder) == ""
        )


def homes(cluster):
    """Return the numbers of the replicas' processes, each with that of its node."""
    found = {}
    for process in cluster.processes(REPLICA):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            found[process.pid] = process.ppid()
    return found


def ask(cluster, row=ROW):
    return CLIENT.post(f"{cluster.url}/predict/json", json=row)


class Load:
    """Clients that ask one after the other, and count what comes.

    Attributes:
        outcomes: the number of answers, by their status or the error's name.
    """

    def __init__(self, url):
        self._url = url
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.outcomes = collections.Counter()

    def once(self):
        """Ask with no repetition."""
        with httpx.Client(timeout=PATIENCE) as client:
            while not self._is_over.wait(PAUSE):
                try:
                    reply = client.post(f"{self._url}/predict/json", json=ROW)
                    right = reply.status_code != 200 or reply.json() == SCORES
                    self._count(f"once {reply.status_code if right else 'wrong'}")
                except httpx.HTTPError as ex:
                    self._count(f"once {type(ex).__name__}")

    def patient(self):
        """Ask with the project's client, which repeats what may help."""
        with Client(self._url, timeout=PATIENCE, retries=5) as client:
            row = dict(zip(ROW["keys"], ROW["values"], strict=True))
            while not self._is_over.wait(PAUSE):
                try:
                    (scores,) = client.predict_rows([row], model="linear")
                    right = scores.tolist() == SCORES
                    self._count("patient 200" if right else "patient wrong")
                except ClientError as ex:
                    self._count(f"patient {type(ex).__name__}: {ex}")

    def _count(self, what):
        with self._lock:
            self.outcomes[what] += 1

    def answers(self):
        """Return the number of right answers so far."""
        with self._lock:
            return sum(n for what, n in self.outcomes.items() if what.endswith("200"))

    def more(self, count=20):
        """Wait until there are more right answers."""
        before = self.answers()
        until(lambda: self.answers() >= before + count, "more answers", PATIENCE)

    def failures(self, kind):
        return {
            what: n
            for what, n in self.outcomes.items()
            if what.startswith(kind) and not what.endswith("200")
        }

    @contextmanager
    def running(self, once=1, patient=1):
        asked = [self.once] * once + [self.patient] * patient
        threads = [threading.Thread(target=each) for each in asked]
        for thread in threads:
            thread.start()
        try:
            self.more()
            yield self
            self.more()
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()
            print(f"outcomes: {dict(self.outcomes)}")


def test_two_nodes_serve_and_tell_all_metrics_at_once(cluster, served):
    assert ask(cluster).json() == SCORES
    found = homes(cluster)
    assert len(found) == len(set(found.values())) == 2
    for _ in range(20):
        assert ask(cluster).status_code == 200
    text = CLIENT.get(f"{cluster.url}/metrics").text
    assert len(set(re.findall(r'tfaas_models_loaded\{replica="(\w+)"', text))) == 2
    answered = re.findall(
        r'tfaas_requests_total\{.*route="/predict/json",status="200".*\} (\S+)', text
    )
    assert sum(map(float, answered)) == 21


def test_an_upload_through_ray_serves_on_all_nodes(cluster, served):
    bundle = write_bundle(
        served / "sent", onnx_bytes=linear_onnx(2 * WEIGHTS), name="two"
    )
    reply = CLIENT.post(
        f"{cluster.url}/upload",
        data={"name": "two"},
        files={"model": ("two.tar.gz", tar_of(bundle, "two"))},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert reply.status_code == 200, reply.text
    for _ in range(10):
        assert ask(cluster, {**ROW, "model": "two"}).json() == [2.0, 4.0, 14.0]


def test_a_write_without_a_token_is_refused(cluster, served):
    reply = CLIENT.request("DELETE", f"{cluster.url}/delete/linear")
    assert reply.status_code == 401


def test_an_update_loses_no_request_and_a_killed_node_none_of_a_patient_client(
    cluster, served
):
    old = homes(cluster)
    added = cluster.add_node()
    load = Load(cluster.url)
    with load.running():
        run(
            command(cluster, min_replicas=3, preload="linear", max_body_bytes=1000),
            served,
        )
    assert not load.failures("once")
    assert not load.failures("patient")
    large = {**ROW, "keys": ["a" * 2000]}
    assert ask(cluster, large).status_code == 413

    new = until(
        lambda: (found := homes(cluster)).keys().isdisjoint(old) and found,
        "the end of the old replicas",
    )
    assert len(new) == 3
    lost = {pid for pid, node in new.items() if node not in old.values()}
    assert lost
    load = Load(cluster.url)
    with load.running(once=2, patient=2):
        cluster.kill_node(added)
        load.more(50)
        until(lambda: len(homes(cluster).keys() - lost) == 3, "a replica in its place")
    assert not load.failures("patient")
    assert ask(cluster).json() == SCORES


@long_form
def test_settings_that_cannot_work_leave_what_serves(cluster, served):
    for flags, words in [
        ({"server_key": "key.pem", "server_crt": "crt.pem"}, "key.pem"),
        ({"model_dir": "/dev/null"}, "/dev/null"),
        ({"host": "0.0.0.0"}, "serves already, on 127.0.0.1:"),
    ]:
        told = run(command(cluster, **flags), served, code=2)
        assert words in told
        assert "Traceback" not in told
    assert ask(cluster).json() == SCORES


@long_form
def test_a_killed_replica_costs_a_patient_client_nothing(cluster, served):
    load = Load(cluster.url)
    with load.running(once=2, patient=2):
        before = cluster.processes(REPLICA)
        before[0].kill()
        load.more(50)
        until(
            lambda: (
                before[0].pid not in (found := homes(cluster))
                and len(found) == len(before)
            ),
            "another replica",
        )
    assert not load.failures("patient")
    assert set(load.failures("once")) <= {
        *("once 500", "once RemoteProtocolError", "once ReadError"),
    }


@long_form
def test_serve_run_takes_the_same_settings(cluster, served):
    config = served / "config.json"
    config.write_text(json.dumps({"modelDir": str(served / "models")}))
    run(
        f"serve run --non-blocking --name tfaas-onnx --address {cluster.address}"
        f" runtime.ray:app config={config} minReplicas=2 maxBodyBytes=2000",
        served,
    )
    assert ask(cluster).json() == SCORES
    assert ask(cluster, {**ROW, "keys": ["a" * 3000]}).status_code == 413
