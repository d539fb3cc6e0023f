"""Two servers on one store: versions, labels, and what takes over when."""

import contextlib
import json
import re

import httpx
import numpy as np
import pytest

from bundle.store import ModelStore
from tests.end_to_end.conftest import PATIENCE, WAITRESS, serving
from tests.examples import WEIGHTS, linear_onnx, write_bundle
from tests.forms import png

IMAGE = png([[1, 2], [3, 4]])


def answer_of(factor):
    """Pixels 1, 2, 3, 4 times tests.examples.WEIGHTS, times the factor."""
    return [factor, 2 * factor, 7 * factor]


@pytest.fixture
def store(tmp_path):
    """Version n answers n times as much as version 1."""
    store = ModelStore(tmp_path / "models")
    for _ in range(2):
        publish(store)
    return store


def publish(store, onnx_bytes=None):
    newest = (store.versions("linear") or [0])[-1]
    content = onnx_bytes or linear_onnx(WEIGHTS * (newest + 1))
    return store.install(lambda folder: write_bundle(folder, onnx_bytes=content)).number


class Servers:
    """Asks every server, and expects the same of each."""

    def __init__(self, urls):
        self.urls = urls

    def ask(self, **query):
        replies = [
            httpx.post(
                f"{url}/predict/image",
                files={"image": ("x.png", IMAGE)},
                data={"model": "linear"},
                params=query,
                timeout=PATIENCE,
            )
            for url in self.urls
        ]
        told = {
            (
                reply.status_code,
                reply.headers.get("X-Model-Version"),
                json.dumps(reply.json()),
            )
            for reply in replies
        }
        assert len(told) == 1, "the servers differ"
        return replies[0]

    def version(self, **query):
        """Which version answers; the numbers are that version's own."""
        reply = self.ask(**query)
        assert reply.status_code == 200, reply.text
        version = int(reply.headers["X-Model-Version"])
        assert reply.json() == answer_of(version)
        return version

    def error(self, status, **query):
        reply = self.ask(**query)
        assert reply.status_code == status
        return reply.json()["error"]


@pytest.fixture
def start(tmp_path):
    """Start servers on the store, with config.json as a test wants it."""
    with contextlib.ExitStack() as stack:

        def start_them(count, **config):
            # verbose: waitress tells its address to those who want to hear it.
            content = json.dumps({"verbose": 1, **config})
            (tmp_path / "config.json").write_text(content)
            return Servers(
                [
                    stack.enter_context(serving(WAITRESS, tmp_path)).url
                    for _ in range(count)
                ]
            )

        yield start_them


@pytest.fixture
def servers(store, start):
    return start(2)


def test_labels_and_numbers_say_which_version_answers(store, servers):
    assert servers.version() == 2, "the newest"
    assert servers.version(version=1) == 1
    store.set_label("linear", "canary", 1)
    assert servers.version(label="canary") == 1
    assert "no label 'stable'" in servers.error(404, label="stable")
    store.set_label("linear", "stable", 1)
    assert servers.version() == 1
    # While a version is stable, a new one waits; it answers who asks for it.
    assert publish(store) == 3
    assert servers.version() == 1
    assert servers.version(version=3) == 3
    store.set_label("linear", "canary", 3)
    assert servers.version(label="canary") == 3
    # The release, and the way back.
    store.set_label("linear", "stable", 3)
    assert servers.version() == 3
    store.set_label("linear", "stable", 2)
    assert servers.version() == 2
    store.delete_label("linear", "stable")
    assert servers.version() == 3


def test_a_version_that_was_deleted_is_not_found(store, servers):
    assert servers.version(version=1) == 1
    store.delete_version("linear", 1)
    assert "no version 1" in servers.error(404, version=1)
    assert servers.version() == 2
    store.delete_version("linear", 2)
    assert "no model 'linear'" in servers.error(404)


def test_a_broken_version_never_takes_over(store, servers, start):
    assert servers.version() == 2
    publish(store, b"junk")
    assert servers.version() == 2
    assert "version 3 cannot be loaded" in servers.error(500, version=3)
    # Neither under the label that says what serves,
    store.set_label("linear", "stable", 3)
    assert servers.version() == 2
    # nor in a process that has never seen another.
    assert start(1).version() == 2
    publish(store)
    store.set_label("linear", "stable", 4)
    assert servers.version() == 4


def test_a_canary_gets_its_share(store, start):
    servers = start(1, traffic={"canary": 50})
    store.set_label("linear", "stable", 1)
    assert servers.version() == 1
    store.set_label("linear", "canary", 2)
    answered = [servers.version() for _ in range(200)]
    # Six standard deviations of 200 throws at a half.
    assert abs(answered.count(2) - 100) < 6 * np.sqrt(50)
    # A canary that breaks harms nobody: what it was before goes on, or the default.
    store.set_label("linear", "canary", publish(store, b"junk"))
    assert {servers.version() for _ in range(40)} == {1, 2}
    fresh = start(1, traffic={"canary": 50})
    assert {fresh.version() for _ in range(10)} == {1}


def test_a_shadow_changes_no_answer_and_tells_where_it_differs(store, start, tmp_path):
    upside_down = linear_onnx(np.fliplr(WEIGHTS))  # best is class 0, and not 2
    store.set_label("linear", "shadow", publish(store, upside_down))
    store.set_label("linear", "stable", 2)
    servers = start(1, shadow="shadow", preload=["*"])
    assert servers.version() == 2
    for _ in range(2000):  # lines come to the file some kilobytes at a time
        assert servers.version() == 2
        if told := re.findall("disagree.*", (tmp_path / "server.log").read_text()):
            break
    assert told[0] == "disagree: two and not zero"
