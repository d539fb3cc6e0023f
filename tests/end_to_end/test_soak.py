"""Clients predict while versions come and go and workers are killed.

Version n's scores are those of WEIGHTS, times n, so an answer tells its version.
``SOAK`` is the number of versions; ``make soak`` takes more.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil

from bundle.store import ModelStore
from tests.end_to_end.conftest import PATIENCE, RUNTIME, serving
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle

ROUNDS = int(os.environ.get("SOAK", "10"))
CLIENTS = 4
ROUNDS_A_KILL = 5
# The memory of the worker that takes most may grow so much, between the first quarter
# of the rounds and their end.
GROWTH_BYTES = 32 << 20
ROW = {"keys": [], "values": [1, 2, 3, 4], "model": "linear"}


def is_right(reply):
    version = int(reply.headers["X-Model-Version"])
    return reply.json() == [version, 2 * version, 7 * version]


def ask(url, done, counts):
    """Ask as one client, one request at a time, and count the answers."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        while not done.is_set():
            try:
                reply = client.post("/predict/json", json=ROW)
            except httpx.TransportError:
                counts["cut"] += 1
                continue
            right = reply.status_code == 200 and is_right(reply)
            counts["right" if right else f"{reply.status_code} {reply.text}"] += 1


class Writer:
    """The only client that changes the model, which therefore knows what must serve."""

    def __init__(self, url, folder):
        # Each request has a new connection, so none is open in a worker that is killed.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=url, limits=limits, timeout=PATIENCE)
        self._folder = folder

    def call(self, method, path, **request):
        reply = self._client.request(method, path, **request)
        assert reply.status_code == 200, f"{method} {path}: {reply.text}"
        return reply

    def upload(self, number):
        content = linear_onnx(WEIGHTS * number)
        bundle = write_bundle(self._folder / "bundle", onnx_bytes=content)
        reply = self.call("POST", "/upload", content=tar_of(bundle))
        assert reply.json()["version"] == number

    def label(self, number):
        path = "/models/linear/labels/stable"
        self.call("PUT", path, json={"version": number})
        self.expect(number)

    def expect(self, number):
        for _ in range(3):  # mostly meets both workers
            reply = self.call("POST", "/predict/json", json=ROW)
            assert int(reply.headers["X-Model-Version"]) == number
            assert is_right(reply)

    def turn(self, number):
        """Upload a version, label it, roll back, go on again, delete the one before."""
        self.upload(number)
        self.expect(number - 1)
        self.label(number)
        self.label(number - 1)
        self.label(number)
        self.call("DELETE", f"/models/linear/{number - 1}")
        self.expect(number)


def largest(server):
    return max(worker.memory_info().rss for worker in server.workers())


def kill_one(server, nth):
    workers = server.workers()
    worker = workers[nth % len(workers)]
    worker.kill()
    psutil.wait_procs([worker], PATIENCE)


def test_no_answer_is_wrong_and_none_is_lost_but_those_of_a_killed_worker(tmp_path):
    counts, done = Counter(), threading.Event()
    (tmp_path / "config.json").write_text(json.dumps({"provider": "cpu"}))
    command = f"{RUNTIME} --workers 2"
    with serving(command, tmp_path) as server, ThreadPoolExecutor(CLIENTS) as pool:
        writer = Writer(server.url, tmp_path)
        writer.upload(1)
        writer.label(1)
        clients = [pool.submit(ask, server.url, done, counts) for _ in range(CLIENTS)]
        kills = early = 0
        try:
            for turn in range(1, ROUNDS + 1):
                # Version 1 is already there.
                number = turn + 1
                writer.turn(number)
                if turn % ROUNDS_A_KILL == 0:
                    kill_one(server, kills)
                    kills += 1
                    writer.expect(number)
                if turn == ROUNDS // 4:
                    early = largest(server)
        finally:
            done.set()
        for client in clients:
            client.result(PATIENCE)
        grown = largest(server) - early
        assert server.process.poll() is None
    cut, right = counts.pop("cut", 0), counts.pop("right")
    print(
        f"{ROUNDS} versions uploaded, labelled, rolled back and deleted, {kills}"
        f" workers killed: {right} right answers, {cut} cut off, largest worker grown"
        f" by {grown >> 10} KiB"
    )
    assert counts == {}, "these are wrong"
    assert cut <= kills * CLIENTS
    assert grown < GROWTH_BYTES
    store = ModelStore(tmp_path / "models")
    assert store.versions("linear") == [ROUNDS + 1]
    assert {path.name for path in store.root.iterdir()} == {"linear"}
