"""Serving on a cluster of Ray: two nodes, a third that dies, updates and kills."""

from __future__ import annotations

import collections
import hashlib
import json
import os
import re
import threading
from contextlib import contextmanager

import httpx
import psutil
import pytest

from tests.cluster import until
from tests.end_to_end.conftest import CLIENT, ENVIRONMENT, PATIENCE, run
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle
from tfaas_onnx import Client, ClientError

pytestmark = pytest.mark.cluster

IS_SHORT = os.environ.get("CLUSTER", "short") == "short"

TOKEN = "a-token-of-this-test"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
ROW = {"keys": ["a", "b", "c", "d"], "values": [1, 2, 3, 4], "model": "linear"}
SCORES = [1.0, 2.0, 7.0]  # the last class has the sum of two pixels
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
    """Return a folder whose store three replicas serve, one on each node."""
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


def replicas():
    """Return the replicas' processes of this cluster."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if REPLICA in " ".join(process.info["cmdline"] or ()):
            found.append(process)
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
            while not self._is_over.is_set():
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
            while not self._is_over.is_set():
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
    nodes = {process.ppid() for process in replicas()}
    assert len(replicas()) == len(nodes) == 2
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


def test_new_settings_replace_the_replicas_without_a_lost_request(cluster, served):
    old = {process.pid for process in replicas()}
    load = Load(cluster.url)
    with load.running():
        run(
            command(cluster, min_replicas=2, preload="linear", max_body_bytes=1000),
            served,
        )
    assert not load.failures("once")
    assert not load.failures("patient")
    assert not old & {process.pid for process in replicas()}
    large = {**ROW, "keys": ["a" * 2000]}
    assert ask(cluster, large).status_code == 413


def test_settings_that_cannot_work_leave_what_serves(cluster, served):
    for flags, words in [
        ({"server_key": "key.pem", "server_crt": "crt.pem"}, "key.pem"),
        ({"model_dir": "/dev/null"}, "/dev/null"),
    ]:
        told = run(command(cluster, **flags), served, code=2)
        assert words in told
        assert "Traceback" not in told
    assert ask(cluster).json() == SCORES


def test_a_killed_replica_costs_a_patient_client_nothing(cluster, served):
    load = Load(cluster.url)
    with load.running(once=2, patient=2):
        victim = replicas()[0]
        victim.kill()
        load.more(50)
        until(
            lambda: (
                victim.pid not in (found := {p.pid for p in replicas()})
                and len(found) == 2
            ),
            "another replica",
        )
    assert not load.failures("patient")
    assert set(load.failures("once")) <= {
        *("once 500", "once RemoteProtocolError", "once ReadError"),
    }


def test_a_killed_node_costs_a_patient_client_nothing(cluster, served):
    added = cluster.add_node()
    run(command(cluster, min_replicas=3, preload="linear"), served)
    until(lambda: len({p.ppid() for p in replicas()}) == 3, "a replica on each node")
    load = Load(cluster.url)
    with load.running(once=2, patient=2):
        before = {process.pid for process in replicas()}
        cluster.kill_node(added)
        load.more(50)
        until(lambda: len({p.pid for p in replicas()} - before) == 1, "a new replica")
    assert not load.failures("patient")
    assert ask(cluster).json() == SCORES


@pytest.mark.skipif(IS_SHORT, reason="CLUSTER=short leaves it out")
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
