"""Versions get their shares of traffic, whatever they cost and wherever they are."""

import base64
import http.client
import itertools
import json
import struct
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from runtime.wire.tfaas_pb2 import Row
from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, WAITRESS, serving
from tests.examples import slow_onnx, write_bundle
from tests.forms import form, png

KINDS = ("quick", "slow", "unloaded")
PAIRS = tuple(itertools.product(KINDS, repeat=2))
# A process deals out each hundred requests exactly, as from a deck of cards.
REQUESTS = 100
CLIENTS = 4
SLOW = 3  # ms; a model is quick up to 1 ms
IMAGE, VALUES = png([[1, 2], [3, 4]]), [1, 2, 3, 4]


def write_model(folder, name, stable, canary):
    """Write version 1, which is stable, and 2, the canary; both answer alike."""
    model = folder / "models" / name
    for number, kind in ((1, stable), (2, canary)):
        content = slow_onnx(SLOW) if kind == "slow" else None
        write_bundle(model / str(number), name=name, onnx_bytes=content)
    (model / ".labels").mkdir()
    (model / ".labels" / "stable").write_text("1")
    (model / ".labels" / "canary").write_text("2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canary")
    settings = {"verbose": 1, "traffic": {"canary": 20}, "cacheLimit": 20}
    (folder / "config.json").write_text(json.dumps(settings))
    for stable, canary in PAIRS:
        write_model(folder, f"{stable}_{canary}", stable, canary)
    return folder


@pytest.fixture(scope="module")
def one(folder):
    """Start a server of one process, so that one process gets all requests."""
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        yield server.url


def load(url, model, version):
    body = {"model": model, "version": version, "values": VALUES}
    assert CLIENT.post(f"{url}/predict/json", json=body).is_success


def versions(url, model, count):
    """Return the versions that answered the requests, over one kept connection."""
    address = urlsplit(url)
    body = json.dumps({"model": model, "values": VALUES})
    client = http.client.HTTPConnection(address.hostname, address.port, PATIENCE)
    answered = Counter()
    for _ in range(count):
        client.request("POST", "/predict/json", body)
        reply = client.getresponse()
        assert reply.status == 200, reply.read()
        reply.read()
        answered[reply.headers["X-Model-Version"]] += 1
    client.close()
    return answered


def share_of_the_canary(url, model):
    each = REQUESTS // CLIENTS
    with ThreadPoolExecutor(CLIENTS) as pool:
        counts = pool.map(
            versions, [url] * CLIENTS, [model] * CLIENTS, [each] * CLIENTS
        )
        return 100 * sum(counts, Counter())["2"] / (each * CLIENTS)


def shares_of(url, pairs):
    shares = {}
    for pair in pairs:
        model = "_".join(pair)
        for version, kind in enumerate(pair, start=1):
            if kind != "unloaded":
                load(url, model, version)
        shares[pair] = share_of_the_canary(url, model)
    return shares


def test_a_canary_gets_its_share_however_slow_it_or_the_other_is(one):
    shares = shares_of(one, PAIRS)
    assert all(18 <= share <= 22 for share in shares.values()), shares


def test_a_canary_gets_its_share_under_waitress_too(folder):
    with serving(WAITRESS, folder) as server:
        shares = shares_of(server.url, PAIRS[::4])
    assert all(18 <= share <= 22 for share in shares.values()), shares


def test_versions_that_push_each_other_out_keep_their_shares(folder):
    """There is room for one version: each request for the other one loads it anew."""
    command = f"env TFAAS_CACHE_LIMIT=1 {RUNTIME} --workers 1"
    with serving(command, folder) as server:
        answered = versions(server.url, "unloaded_unloaded", 100)
    assert 18 <= answered["2"] <= 22


def test_every_predicting_route_answers_alike_quick_and_slow(one):
    row = Row(key=list("abcd"), value=VALUES, model="quick_slow")
    fields = {"image": IMAGE, "model": "quick_slow"}
    image, image_headers = form(**fields)
    labels, labels_headers = form(**fields, top="2")
    several, several_headers = form(**{**fields, "image": [IMAGE] * 3})
    json_headers = {"Content-Type": "application/json"}
    proto_headers = {"Content-Type": "application/x-protobuf"}
    values = json.dumps({"model": "quick_slow", "values": VALUES}).encode()
    pixels = [[[[1], [2]], [[3], [4]]]]
    inputs = json.dumps({"model": "quick_slow", "inputs": {"pixels": pixels}}).encode()
    asked = [
        (path, *request)
        for paths, requests in (
            (
                ("/predict", "/predict/image", "/image"),
                ((image, image_headers), (labels, labels_headers)),
            ),
            (("/predict/image",), ((several, several_headers),)),
            (
                ("/predict", "/predict/json", "/json"),
                ((values, json_headers), (inputs, json_headers)),
            ),
            (
                ("/predict", "/predict/proto", "/proto"),
                ((row.SerializeToString(), proto_headers),),
            ),
        )
        for path in paths
        for request in requests
    ]
    with httpx.Client(base_url=one, timeout=PATIENCE) as client:
        for path, body, headers in asked:
            quick, slow = (
                client.post(f"{path}?version={n}", content=body, headers=headers)
                for n in (1, 2)
            )
            assert quick.status_code == 200, quick.text
            assert slow.headers["X-Model-Version"] == "2"
            assert quick.content == slow.content
            assert quick.headers["Content-Type"] == slow.headers["Content-Type"]


def test_an_inference_is_answered_alike_quick_and_slow(one):
    shape = {"name": "pixels", "shape": [1, 2, 2, 1], "datatype": "FP32"}
    blob = struct.pack("<4f", *VALUES)
    picture = base64.b64encode(IMAGE).decode()
    texts = {"name": "pixels", "shape": [1], "datatype": "BYTES", "data": [picture]}
    head = json.dumps({"inputs": [{**shape, "parameters": {"binary_data_size": 16}}]})
    length = "Inference-Header-Content-Length"
    asked = [
        (json.dumps({"inputs": [{**shape, "data": VALUES}]}).encode(), {}),
        (json.dumps({"inputs": [texts]}).encode(), {}),
        (head.encode() + blob, {length: str(len(head))}),
        (blob, {length: "0"}),
    ]
    with httpx.Client(base_url=one, timeout=PATIENCE) as client:
        for body, headers in asked:
            quick, slow = (
                client.post(
                    f"/v2/models/quick_slow/versions/{n}/infer",
                    content=body,
                    headers=headers,
                )
                for n in (1, 2)
            )
            assert quick.status_code == 200, quick.text
            assert slow.headers["X-Model-Version"] == "2"
            version = b'"model_version":"%d"'
            assert quick.content == slow.content.replace(version % 2, version % 1)
