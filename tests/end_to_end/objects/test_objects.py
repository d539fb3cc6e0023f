"""Models in a real object store: races, faults of the network, and two machines.

``make cluster-test`` sets CLUSTER, the number of races. It also asks a second kind of
server, and trains and converts into the store, unless CLUSTER is ``short``.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import obstore
import pytest
from obstore.store import from_url

from bundle.errors import StoreError, StoreUnreachable
from bundle.objects.address import cache_of
from bundle.objects.bucket import open_bucket
from bundle.objects.mirror import Mirror
from bundle.objects.mirrored_store import MirroredStore
from bundle.objects.object_store import ObjectStore
from bundle.objects.probe import probe
from runtime.mirroring import LOCK
from tests.documents import ROOT
from tests.end_to_end.conftest import (
    CLIENT,
    ENVIRONMENT,
    PATIENCE,
    WAITRESS,
    run,
    serving,
)
from tests.end_to_end.objects.servers import BUCKET, Proxy, moto, seaweedfs
from tests.examples import linear_onnx, tar_of, write_bundle

pytestmark = pytest.mark.cluster

CLUSTER = os.environ.get("CLUSTER", "short")
IS_LONG = CLUSTER != "short"
RACES = int(CLUSTER) if IS_LONG else 10
KINDS = ["moto", "seaweedfs"] if IS_LONG else ["moto"]


@pytest.fixture(scope="module", params=KINDS)
def server(request, tmp_path_factory):
    """Return a server of S3, which all tests of this module share."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    with moto() if request.param == "moto" else seaweedfs(folder) as running:
        yield running


@pytest.fixture
def proxy(server):
    with Proxy(server) as between:
        yield between


@pytest.fixture
def url(proxy, request, monkeypatch):
    """Return a place of its own in the bucket, and let the environment lead to it."""
    variables = {
        "AWS_ENDPOINT_URL": proxy.url,
        "AWS_ACCESS_KEY_ID": "reader",
        "AWS_SECRET_ACCESS_KEY": "a-secret-key-of-this-test",
        "AWS_REGION": "us-east-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(ENVIRONMENT, name, value)
    place = request.node.name.replace("[", "-").replace("]", "")[:80]
    return f"s3://{BUCKET}/{place}-{os.getpid()}"


@pytest.fixture
def direct(url, server, monkeypatch):
    """Ask the server itself, because the proxy takes most of the time."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)


@pytest.fixture
def machine(url, tmp_path):
    """Return a function that makes a machine with this name."""

    def make(name: str = "one", *, is_patient: bool = True) -> MirroredStore:
        objects = ObjectStore(open_bucket(url, is_patient=is_patient))
        return MirroredStore(Mirror(objects, tmp_path / name))

    return make


def publish(store: MirroredStore, factor: int = 1) -> int:
    def write(folder: Path) -> None:
        write_bundle(folder, onnx_bytes=b"%d" % factor)

    return store.install(write, lambda staged: "linear").number


def versions(store: MirroredStore) -> list[int]:
    entry = store.mirror.objects.look("linear")
    return list(entry.versions) if entry else []


def together(*calls):
    """Make calls at one time; return what they return."""
    start = threading.Barrier(len(calls))
    found = [None] * len(calls)

    def begin(place):
        start.wait()
        found[place] = calls[place]()

    threads = [threading.Thread(target=begin, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_two_racing_publishers_one_wins_each_number_and_none_is_lost(
    direct, machine
):
    one, two = machine("one"), machine("two")
    numbers = []
    for _ in range(RACES):
        numbers += together(lambda: publish(one, 1), lambda: publish(two, 2))
    assert sorted(numbers) == list(range(1, 2 * RACES + 1))
    entry = one.mirror.objects.look("linear")
    assert list(entry.versions) == sorted(numbers)
    # Each publisher's versions have its files.
    ids = {published.manifest.id for published in entry.versions.values()}
    assert len(ids) == 2 * RACES
    digests = [p.manifest.files["model.onnx"].sha256 for p in entry.versions.values()]
    assert {digests.count(digest) for digest in digests} == {RACES}


def test_labels_that_two_machines_set_at_once_are_one_of_the_two(direct, machine):
    one, two = machine("one"), machine("two")
    publish(one)
    publish(one)
    for _ in range(3):
        together(
            lambda: one.mirror.objects.set_label("linear", "canary", 1),
            lambda: two.mirror.objects.set_label("linear", "canary", 2),
        )
        assert one.mirror.objects.look("linear").labels["canary"] in (1, 2)


def test_a_server_that_stops_is_a_sentence_and_no_wait_without_end(server, machine):
    one = machine(is_patient=False)
    publish(one)
    with server.stopped():
        start = time.monotonic()
        with pytest.raises(StoreUnreachable, match="does not answer in time"):
            one.refresh()
        assert time.monotonic() - start < 10
        assert one.find("linear").number == 1
    one.refresh()
    assert one.age() < 60


def test_503_for_a_moment_is_tried_again_and_for_long_is_a_sentence(proxy, machine):
    one = machine()
    left = [3]

    def some(method, path, headers):
        left[0] -= 1
        return "503" if left[0] >= 0 else "pass"

    proxy.fault = some
    assert publish(one) == 1
    proxy.fault = lambda *_: "503"
    with pytest.raises(StoreUnreachable, match="answers 503"):
        machine("two", is_patient=False).refresh()
    proxy.fault = lambda *_: "403"
    with pytest.raises(StoreUnreachable, match="refuses the credentials") as told:
        machine("two", is_patient=False).refresh()
    # A log writes the causes of an error, too.
    assert proxy.url not in "".join(traceback.format_exception(told.value))


def test_a_bucket_that_is_missing_is_a_sentence(direct, server):
    if server.kind != "moto":
        pytest.skip("SeaweedFS refuses the credentials, as if they were wrong")
    bucket = open_bucket("s3://nobody-made-it/models", is_patient=False)
    for ask in (lambda: probe(bucket), lambda: bucket.list("versions/")):
        with pytest.raises(StoreUnreachable, match="has no such bucket"):
            ask()


def test_slow_answers_are_waited_for(proxy, machine):
    slow = threading.Event()

    def late(method, path, headers):
        if "/blobs/" in path:
            slow.wait(0.2)
        return "pass"

    proxy.fault = late
    one, two = machine(), machine("two")
    assert publish(one) == 1
    two.refresh()
    assert two.find("linear").number == 1


def test_a_look_reads_no_manifest_twice(proxy, machine):
    one, two = machine(), machine("two")
    publish(one)
    two.refresh()
    asked = []

    def note(method, path, headers):
        asked.append((method, path))
        return "pass"

    proxy.fault = note
    two.refresh()
    # The list of changes, and two listings.
    assert [method for method, _ in asked] == ["GET", "GET", "GET"]
    assert not any(".json" in path for _, path in asked)


def test_a_manifest_whose_answer_is_lost_is_published_once(proxy, machine):
    one = machine()
    publish(one)
    lost = []

    def lose(method, path, headers):
        if method == "PUT" and "/versions/" in path and not lost:
            lost.append(path)
            return "lose"
        return "pass"

    proxy.fault = lose
    assert publish(one, 2) == 2
    assert len(lost) == 1
    assert versions(one) == [1, 2]


def test_a_store_that_ignores_the_condition_is_read_and_never_written(proxy, machine):
    one = machine()
    publish(one)

    def strip(method, path, headers):
        headers.pop("if-none-match", None)
        return "pass"

    proxy.fault = strip
    two = machine("two")
    with pytest.raises(StoreError, match="lets two programs create one object"):
        publish(two)
    two.refresh()
    assert two.find("linear").number == 1
    assert versions(one) == [1]


PUBLISHER = """
import sys
from pathlib import Path
from bundle.objects.opening import open_store
from tests.examples import write_bundle
store = open_store(sys.argv[1], folder=Path(sys.argv[2]))
store.install(lambda folder: write_bundle(folder) and None, lambda staged: "linear")
"""


def test_a_publisher_that_is_killed_before_the_manifest_leaves_nothing_visible(
    proxy, machine, url, tmp_path
):
    begun, killed = threading.Event(), threading.Event()

    def hold(method, path, headers):
        if method == "PUT" and "/versions/" in path:
            begun.set()
            killed.wait(PATIENCE)
            return "drop"
        return "pass"

    proxy.fault = hold
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, url, str(tmp_path / "killed")],
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
    )
    assert begun.wait(PATIENCE)
    process.kill()
    process.wait()
    killed.set()
    proxy.fault = lambda *_: "pass"
    one = machine()
    one.refresh()
    assert one.names() == []
    assert publish(one) == 1


def test_a_damaged_file_is_not_served(proxy, machine, url):
    one, two = machine(), machine("two")
    publish(one)
    two.refresh()
    assert two.find("linear").number == 1
    publish(one, 2)
    manifest = one.mirror.objects.look("linear").versions[2].manifest
    raw = from_url(url, client_options={"allow_http": True})
    obstore.put(raw, f"blobs/linear/{manifest.files['model.onnx'].sha256}", b"3")
    two.refresh()
    assert two.here.find("linear").number == 1
    assert two.behind() == 1


MIRROR = """
import sys, time
from pathlib import Path
from runtime.config import Config
from runtime.mirroring import Mirroring, open_served
config = Config(
    model_dir=sys.argv[1], object_cache_dir=sys.argv[2], object_poll_seconds=1
)
Mirroring(config).start()
store = open_served(config)
print(store.age(), flush=True)
while store.age() > 60:
    time.sleep(0.05)
print("it took the place of the other", flush=True)
"""


def test_one_process_of_a_machine_keeps_the_copy_and_another_takes_its_place(
    direct, url, tmp_path
):
    folder = cache_of(url, str(tmp_path))
    folder.mkdir()
    with (folder / LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(
            [sys.executable, "-c", MIRROR, url, str(tmp_path)],
            env={**ENVIRONMENT, **os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout.readline() == "inf\n"
                fcntl.flock(held, fcntl.LOCK_UN)
                assert process.stdout.readline().startswith("it took the place")
            finally:
                process.kill()


ROW = {"keys": [], "values": [1, 2, 3, 4], "model": "linear"}


def test_two_machines_serve_what_one_publishes_and_go_on_without_the_store(
    proxy, url, tmp_path
):
    archive = tmp_path / "linear.tar.gz"
    archive.write_bytes(tar_of(write_bundle(tmp_path / "linear")))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        config = {
            "modelDir": url,
            "objectCacheDir": str(tmp_path / name / "cache"),
            "objectPollSeconds": 1,
            "port": 0,
            "workers": 1,
        }
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    with (
        serving("runtime serve", tmp_path / "one") as one,
        serving("runtime serve", tmp_path / "two") as two,
    ):
        upload = CLIENT.post(f"{one.url}/upload", content=archive.read_bytes())
        assert upload.json()["version"] == 1, upload.text
        assert _when(lambda: _names(two.url) == ["linear"])
        # It is listed before its files are here.
        (listed,) = CLIENT.get(f"{two.url}/models").json()
        assert (listed["version"], listed["loaded"]) == (1, None)
        reply = CLIENT.post(f"{two.url}/predict/json", json=ROW)
        assert reply.json() == [1, 2, 7], reply.text
        # A new version comes to a machine that serves the model, by itself.
        write_bundle(tmp_path / "linear", onnx_bytes=linear_onnx() + b"")
        assert _upload(one.url, tmp_path / "linear") == 2
        assert _when(lambda: _version(two.url) == 2)
        label = f"{one.url}/models/linear/labels/stable"
        assert CLIENT.put(label, json={"version": 1}).status_code == 200
        assert _when(lambda: _version(two.url) == 1)
        proxy.fault = lambda *_: "503"
        assert _when(lambda: "not on this machine" in _unknown(two.url).text)
        assert _unknown(two.url).status_code == 503
        assert _unknown(two.url).headers["Retry-After"] == "1"
        assert _version(two.url) == 1
        ready = CLIENT.get(f"{two.url}/readyz")
        assert ready.status_code == 200
        assert ready.json()["store_age_seconds"] >= 0
        metrics = CLIENT.get(f"{two.url}/metrics").text
        assert "tfaas_object_store_age_seconds" in metrics
        for told in (_unknown(two.url).text, metrics):
            assert BUCKET + "/" not in told
    # A machine that starts without the store serves its copy; this is another server.
    with serving(WAITRESS, tmp_path / "two") as again:
        assert _version(again.url) == 1
        log = (tmp_path / "two" / "server.log").read_text()
    assert "the object store answers 503" in log
    assert "a-secret-key-of-this-test" not in log


def _names(url):
    return [model["name"] for model in CLIENT.get(f"{url}/models").json()]


def _version(url):
    reply = CLIENT.post(f"{url}/predict/json", json=ROW)
    return int(reply.headers["X-Model-Version"])


def _unknown(url):
    return CLIENT.post(f"{url}/predict/json", json={**ROW, "model": "unknown"})


def _upload(url, folder):
    return CLIENT.post(f"{url}/upload", content=tar_of(folder)).json()["version"]


def _when(is_so):
    """Ask until something is so."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_models_of_an_object_store_are_managed_from_a_terminal(url, tmp_path):
    write_bundle(tmp_path / "linear")
    environment = f"XDG_CACHE_HOME={tmp_path / 'caches'}"
    command = f"{environment} runtime models"
    at = f"--models-dir {url}"
    # One process does all, because each start takes a second.
    script = f"{command} push linear --label canary {at} && {command} list --json {at}"
    said = run(script, tmp_path)
    assert "linear:1" in said
    listed = json.loads(said[said.index("[") :])
    assert listed[0]["version_labels"] == {"canary": 1}


@pytest.mark.skipif(not IS_LONG, reason="make cluster-test trains into the store")
def test_a_training_and_a_conversion_go_into_the_store(server, machine, url, tmp_path):
    if server.kind != "moto":
        pytest.skip("it takes a minute, and one server is enough")
    environment = f"XDG_CACHE_HOME={tmp_path / 'caches'}"
    at = f"--models-dir {url}"
    run(
        f"{environment} trainer run --epochs 1 --model digits --no-onnx {at}"
        f" && {environment} exporter convert digits --no-latency {at}",
        tmp_path,
    )
    store = machine()
    store.refresh()
    assert store.versions("digits") == [1]
    bundle = store.find("digits").path
    assert (bundle / "model.onnx").is_file()
    assert json.loads((bundle / "parity.json").read_bytes())["passed"] is True
    # Another conversion changes nothing else: the version is still the first.
    run(f"{environment} exporter convert digits --fp16 --no-latency {at}", tmp_path)
    store.refresh()
    assert store.versions("digits") == [1]
    assert (store.find("digits").path / "model.fp16.onnx").is_file()
