"""POST /predict/proto gets bytes written by hand, as protobuf defines them."""

import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.replies import error_of
from tests.runtime.graphs import INT64, brightness, identity, onnx_of

PROTOBUF = "application/x-protobuf"
DOUBLE = 11


def field(number, data):
    """Return a field of bytes: tag, length below 128, bytes."""
    return bytes([number << 3 | 2, len(data)]) + data


def row(values, model="rows", keys=(), packed=True):
    floats = [struct.pack("<f", value) for value in values]
    return (
        b"".join(field(1, key.encode()) for key in keys)
        + (
            field(2, b"".join(floats))
            if packed
            else b"".join(bytes([2 << 3 | 5]) + f for f in floats)
        )
        + field(3, model.encode())
    )


def classes(*pairs):
    """Return the message Predictions; proto3 leaves out a 0 and an empty text."""
    return b"".join(
        field(
            1,
            (field(1, label.encode()) if label else b"")
            + (bytes([2 << 3 | 5]) + struct.pack("<f", p) if p else b""),
        )
        for label, p in pairs
    )


@pytest.fixture
def ask(client):
    def ask(body, path="/predict/proto", kind=PROTOBUF, **more):
        return client.simulate_post(
            path, body=body, headers={"Content-Type": kind}, **more
        )

    return ask


@pytest.mark.parametrize("path", ["/predict/proto", "/proto"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_row_is_answered_with_labelled_predictions(ask, publish, path, packed):
    publish("rows", identity(), labels=("a", "b", "größer"))
    reply = ask(row([0.25, 0, 0.75], packed=packed), path)
    assert reply.content == classes(("a", 0.25), ("b", 0), ("größer", 0.75))
    assert reply.headers["Content-Type"] == PROTOBUF
    assert reply.headers["X-Model-Backend"] == "onnxruntime/CPUExecutionProvider"
    assert reply.headers["X-Model-Version"] == "1"


def test_without_labels_the_index_is_the_label(ask, publish):
    publish("rows", identity())
    assert ask(row([3, 2, 1])).content == classes(("0", 3), ("1", 2), ("2", 1))


def test_one_score_of_two_labels_is_that_of_the_second(ask, publish):
    """TFaaS answers with one Class then, and a client reads its probability."""
    publish("cats", brightness(), labels=("cat", "dog"))
    assert ask(row([255] * 4, "cats")).content == classes(("dog", 1))


def test_keys_are_matched_with_the_models_features(ask, publish):
    publish("rows", identity(), features=["pt", "eta", "phi"], labels=("a", "b", "c"))
    reply = ask(row([3, 1, 2], keys=["phi", "pt", "eta"]))
    assert reply.content == classes(("a", 1), ("b", 2), ("c", 3))
    sentence = error_of(ask(row([3, 1, 2], keys=["phi", "pt", "mass"])))
    assert "the model has no feature 'mass'" in sentence


def test_a_version_is_asked_for_in_the_query(ask, publish, store):
    publish("rows", identity())
    publish("rows", identity(), labels=("a", "b", "c"))
    store.set_label("rows", "old", 1)
    for query in ("version=1", "label=old"):
        reply = ask(row([1, 2, 3]), query_string=query)
        assert reply.content == classes(("0", 1), ("1", 2), ("2", 3))
    assert "no version 9" in error_of(ask(row([1]), query_string="version=9"), 404)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the request has no body"),
        (b"hello", "no protobuf message Row"),
        (field(3, b"\xff"), "no protobuf message Row"),  # the text is not UTF-8
        (row([1, 2, 3])[:-2], "no protobuf message Row"),
        (field(3, b"rows"), "'values' is empty"),
        (row([1, 2]), "a row has 2 values and the model takes 3"),
        (row([1, 2, float("nan")]), "'values' holds NaN, infinity"),
        (row([1, 2, float("inf")]), "'values' holds NaN, infinity"),
        (row([1, 2, 3], keys=["a"]), "1 keys and 3 values"),
    ],
)
def test_what_is_no_row_is_told_so_in_json(ask, publish, body, sentence):
    publish("rows", identity())
    assert sentence in error_of(ask(body))


@pytest.mark.parametrize("value", [1.5, float("nan"), float("inf"), 2.0**63])
def test_whole_numbers_are_neither_rounded_nor_wrapped(ask, publish, value):
    publish("rows", identity(INT64))
    assert ask(row([1, 2, 3])).status_code == 200
    assert "must hold whole numbers" in error_of(ask(row([1, 2, value])))


def test_what_float32_cannot_say_is_told_so(ask, publish):
    double = onnx_of(
        [("Cast", ["x"], ["d"], {"to": DOUBLE}), ("Mul", ["d", "d"], ["y"], {})],
        [("x", 1, ("n", 1))],
        [("y", DOUBLE, ("n", 1))],
    )
    publish("square", double)
    assert "beyond float32" in error_of(ask(row([1e30], "square")))


def test_an_answer_that_is_no_scores_is_told_so(ask, publish):
    publish("rows", identity(1, "n", 2, 2))
    assert "no scores of classes" in error_of(ask(row([1, 2, 3, 4])))


def test_a_body_that_is_cut_short_is_refused_though_it_is_whole_protobuf(client):
    body = row([1, 2, 3])
    reply = client.simulate_post(
        "/proto", body=body, headers={"Content-Length": str(len(body) + 10)}
    )
    assert f"ends after {len(body)} bytes of {len(body) + 10}" in error_of(reply)


@given(st.binary(min_size=1, max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_no_bytes_are_the_servers_fault(ask, body):
    assert ask(body).status_code in (400, 404)


def test_no_damage_to_a_row_is_the_servers_fault(ask, publish):
    publish("rows", identity())
    dice, whole = random.Random(4), row([1, 2, 3], keys=["a", "b", "c"])
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[dice.randrange(len(whole))] = dice.randrange(256)
        assert ask(bytes(damaged)).status_code in (200, 400, 404)
