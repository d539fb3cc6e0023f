"""POST /feedback keeps pictures and rows with their right label."""

import csv
import dataclasses
import errno
import hashlib
import io
import os

import numpy as np
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from runtime.access.tokens import digest_of
from runtime.feedback import folder as disk
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import LocalClient
from tests.examples import mixed_onnx
from tests.forms import File, form, png
from tests.mixed import FEATURES
from tests.pictures import saved
from tests.replies import error_of
from tests.runtime.graphs import FLOAT, identity, onnx_of, two_inputs

PICTURE = png([[10, 20], [30, 40]])
LABELS = ("zero", "one", "two")
# It answers the sum and the difference of a row's two values.
ROW = onnx_of(
    [("MatMul", ["row", "weights"], ["scores"], {})],
    [("row", FLOAT, ("n", 2))],
    [("scores", FLOAT, ("n", 2))],
    weights=np.array([[1, 1], [1, -1]], np.float32),
)
# It answers the sum alone.
SUM = onnx_of(
    [("MatMul", ["row", "weights"], ["sum"], {})],
    [("row", FLOAT, ("n", 2))],
    [("sum", FLOAT, ("n", 1))],
    weights=np.array([[1], [1]], np.float32),
)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "feedback"


@pytest.fixture
def config(config, root):
    return dataclasses.replace(config, feedback_dir=str(root))


@pytest.fixture
def serve(config):
    """Return a function that makes a client of a service with other settings."""

    def serve(**settings):
        other = dataclasses.replace(config, **settings)
        return LocalClient(create_app(create_services(other), other))

    return serve


@pytest.fixture
def linear(publish):
    publish("linear", channels=1, labels=LABELS)


@pytest.fixture
def table(publish):
    publish("table", ROW, labels=("sum", "difference"), features=["width", "height"])


@pytest.fixture
def send(client):
    """Return a function that sends a form; None leaves a field out."""

    def send(client=client, **fields):
        given = {"image": PICTURE, "model": "linear", "label": "one", **fields}
        body, headers = form(**{k: v for k, v in given.items() if v is not None})
        return client.simulate_post("/feedback", body=body, headers=headers)

    return send


@pytest.fixture
def row(client):
    """Return a function that sends a row; None leaves a key out."""

    def row(client=client, **keys):
        given = {
            "model": "table",
            "label": "sum",
            "keys": ["width", "height"],
            "values": [1.5, -2],
            **keys,
        }
        content = {key: value for key, value in given.items() if value is not None}
        return client.simulate_post("/feedback", json=content)

    return row


def files(root):
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )


def name_of(picture, ending="png"):
    return f"{hashlib.sha256(picture).hexdigest()}.{ending}"


# -- pictures -------------------------------------------------------------------------


def test_a_picture_is_kept_under_its_label(linear, send, root):
    reply = send()
    assert reply.status_code == 201, reply.text
    assert reply.json == {
        "model": "linear",
        "version": 1,
        "label": "one",
        "kind": "picture",
        "items": 1,
    }
    place = root / "linear" / "images" / "one" / name_of(PICTURE)
    assert place.read_bytes() == PICTURE
    assert str(root) not in reply.text


def test_a_newer_label_takes_the_place_of_the_older(linear, send, root):
    assert [send(label=label).json["items"] for label in ("one", "two", "two")] == [
        1,
        1,
        1,
    ]
    assert files(root) == [f"linear/images/two/{name_of(PICTURE)}"]


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("PNG", "png"),
        ("JPEG", "jpeg"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
        ("WEBP", "webp"),
    ],
)
def test_the_content_tells_the_ending(linear, send, root, kind, ending):
    target = io.BytesIO()
    Image.new("L", (2, 2), 90).save(target, kind)
    picture = target.getvalue()
    assert send(image=File("wrong.txt", picture)).status_code == 201
    assert files(root) == [f"linear/images/one/{name_of(picture, ending)}"]


def test_an_older_version_is_asked_for_its_labels(linear, publish, send):
    publish("linear", channels=1, labels=("a", "b", "c"))
    assert "has no label 'one'; it has a, b, c" in error_of(send())
    reply = send(version="1")
    assert (reply.status_code, reply.json["version"]) == (201, 1)


def test_a_model_without_labels_takes_any_plain_text(publish, send, root):
    publish("same", identity(1, "n", 2, 2, 1), channels=1)
    assert send(model="same", label="a new class").status_code == 201
    assert files(root) == [f"same/images/a new class/{name_of(PICTURE)}"]


@pytest.mark.parametrize(
    "label",
    [
        "..",
        ".",
        ".hidden",
        "a/b",
        "/etc/passwd",
        "../../x",
        "Thumbs.db",
        " a",
        "ü" * 128,
    ],
)
def test_a_label_that_no_folder_can_have_keeps_no_picture(publish, send, root, label):
    """The labels of a bundle are a stranger's, too."""
    publish("same", identity(1, "n", 2, 2, 1), channels=1)
    publish("linear", channels=1, labels=(label.strip(), "one", "two"))
    for model in ("same", "linear"):
        reply = send(model=model, label=label)
        assert ("cannot be the name of a folder" in error_of(reply)) or (
            model == "linear" and "has no label" in error_of(reply)
        )
    assert not root.exists()


@pytest.mark.parametrize("label", ["a\0b", "a\nb", "a\r", "\x7f", "‮x", "  "])
def test_a_label_that_is_no_line_is_refused(publish, send, root, label):
    publish("same", identity(1, "n", 2, 2, 1), channels=1)
    reply = send(model="same", label=label)
    assert "it must be a text of one line that is not empty" in error_of(reply)
    assert not root.exists()


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"image": b"text"}, 400, "Invalid image"),
        ({"image": PICTURE[:40]}, 400, "Invalid image"),
        ({"image": "img1.png"}, 400, "curl sends the file"),
        ({"image": b""}, 400, "the field 'image' is empty"),
        ({"image": None}, 400, "the field 'image' is missing"),
        ({"image": [PICTURE, PICTURE]}, 400, "the form has 2 images; send one"),
        ({"label": None}, 400, "the field 'label' is missing"),
        ({"label": ""}, 400, "the field 'label' is empty"),
        ({"label": ["one", "two"]}, 400, "the field 'label' is there twice"),
        ({"label": b"\xff"}, 400, "the field 'label' is not a text in UTF-8"),
        ({"label": "three"}, 400, "no label 'three'; it has zero, one, two"),
        ({"label": "1"}, 400, "has no label '1'"),
        ({"model": None}, 400, "the field 'model' is missing"),
        ({"model": "nosuch"}, 404, "there is no model 'nosuch'"),
        ({"model": "../linear"}, 404, "there is no model"),
        ({"model": ".staging"}, 404, "there is no model"),
        ({"version": "7"}, 404, "version 7"),
        ({"version": "x"}, 400, "'version' is 'x'; it must be a whole number"),
        ({"image": saved(Image.new("1", (1000, 16_778)))}, 400, "pixels"),
    ],
)
def test_a_picture_that_cannot_be_kept_is_refused(
    linear, send, root, fields, status, words
):
    reply = send(**fields)
    assert words in error_of(reply, status)
    assert not root.exists()


def test_a_model_of_rows_takes_no_pictures(table, send, root):
    assert "takes no pictures; send a row" in error_of(send(model="table"))
    assert not root.exists()


def test_a_body_above_the_limit_is_too_large(linear, send, root):
    reply = send(image=bytes(100_001))
    assert reply.status_code == 413
    assert not root.exists()


# -- rows -----------------------------------------------------------------------------


def test_rows_are_kept_in_the_order_of_the_features(table, row, root):
    assert row().json == {
        "model": "table",
        "version": 1,
        "label": "sum",
        "kind": "row",
        "items": 1,
    }
    reply = row(keys=["height", "width"], values=[0.1, 12345678], label="difference")
    assert (reply.status_code, reply.json["items"]) == (201, 2)
    with (root / "table" / "rows.csv").open(newline="") as stream:
        assert [*csv.reader(stream)] == [
            ["width", "height", "label"],
            ["1.5", "-2", "sum"],
            ["12345678", "0.1", "difference"],
        ]


@pytest.mark.parametrize(("label", "kept"), [(2, "2"), (-1.5, "-1.5"), ("1e3", "1e3")])
def test_a_model_that_answers_a_number_takes_a_number(publish, row, root, label, kept):
    publish("total", SUM, features=["width", "height"])
    assert row(model="total", label=label).json["label"] == kept
    lines = (root / "total" / "rows.csv").read_text().splitlines()
    assert lines == ["width,height,label", f"1.5,-2,{kept}"]


def test_a_row_of_numbers_and_texts_is_kept(publish, row, root):
    publish("mixed", mixed_onnx(), labels=("e", "mu"), features=FEATURES)
    mixed = {"model": "mixed", "label": "mu", "keys": FEATURES[::-1]}
    assert row(**mixed, values=[2, "µ, or τ", None]).status_code == 201
    assert row(**mixed, values=[2, 3, None]).status_code == 400
    lines = (root / "mixed" / "rows.csv").read_text().splitlines()
    assert lines == ["pt,part,njet,label", ',"µ, or τ",2,mu']


@pytest.mark.parametrize("label", ["", "a", "nan", "inf", "1e999", "1_0", "٣", "1\n"])
def test_a_label_that_is_no_number_is_refused(publish, row, root, label):
    publish("total", SUM, features=["width", "height"])
    reply = row(model="total", label=label)
    assert "it must be a number" in error_of(reply)
    assert not root.exists()


@pytest.mark.parametrize(
    ("keys", "status", "words"),
    [
        ({"keys": ["width"]}, 400, "there are 1 keys and 2 values"),
        ({"keys": ["width", "depth"]}, 400, "the model has no feature 'depth'"),
        ({"keys": ["width", "width"]}, 400, "the key 'width' is there twice"),
        ({"keys": []}, 400, "the key 'width' is missing"),
        ({"keys": None}, 400, "the body has no 'keys'"),
        ({"keys": "width"}, 400, "'keys' must be a list of texts"),
        ({"values": None}, 400, "the body has no 'values'"),
        ({"values": [[1, 2], [3, 4]]}, 400, "send one row"),
        ({"values": [1]}, 400, "there are 2 keys and 1 values"),
        ({"values": [1, {}]}, 400, "'values'"),
        ({"values": [1, 1e300]}, 400, "a number too large"),
        ({"values": []}, 400, "'values' is empty"),
        ({"label": None}, 400, "the body has no 'label'"),
        ({"label": "x"}, 400, "has no label 'x'; it has sum, difference"),
        ({"label": True}, 400, "'label' must be a text or a number"),
        ({"label": ["sum"]}, 400, "'label' must be a text or a number"),
        ({"label": 7}, 400, "has no label '7'"),
        ({"model": None}, 400, "the body has no 'model'"),
        ({"model": 7}, 400, "'model' must be a text"),
        ({"model": "nosuch"}, 404, "there is no model 'nosuch'"),
        ({"model": "a/../table"}, 404, "there is no model"),
        ({"version": "1"}, 400, "'version' must be a whole number"),
        ({"version": True}, 400, "'version' must be a whole number"),
        ({"version": -1}, 400, "'version' is '-1'"),
        ({"version": 3}, 404, "version 3"),
        ({"image": "aGk="}, 400, "unknown key 'image'"),
    ],
)
def test_a_row_that_cannot_be_kept_is_refused(table, row, root, keys, status, words):
    reply = row(**keys)
    assert words in error_of(reply, status)
    assert not root.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"label=one", b"\xff"])
def test_a_body_that_is_neither_form_nor_json_is_refused(client, table, root, body):
    assert client.simulate_post("/feedback", body=body).status_code == 400
    assert not root.exists()


@pytest.mark.parametrize("features", [["a", "label"], ["a", "b\nc"], []])
def test_features_that_cannot_be_columns_keep_no_row(publish, row, root, features):
    publish("table", ROW, labels=("sum", "difference"), features=features)
    reply = row(keys=features or ["a", "b"])
    words = "cannot be a column" if features else "names no 'features'"
    assert words in error_of(reply)
    assert not root.exists()


def test_a_model_of_several_inputs_takes_no_row(publish, row, root):
    publish("table", two_inputs(), labels=())
    assert row().status_code == 400
    assert not root.exists()


def test_a_version_with_other_features_does_not_mix_its_rows(table, publish, row, root):
    row()
    publish("table", ROW, labels=("sum", "difference"), features=["height", "width"])
    reply = row()
    assert "have other columns than height, width, label" in error_of(reply, 409)
    assert str(root) not in reply.text


# -- bounds, disk and access ----------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"feedback_items": 1}, "it holds 1 items, and 'feedbackItems' is 1"),
        ({"feedback_bytes": len(PICTURE) + 5}, f"is {len(PICTURE) + 5};"),
    ],
)
def test_a_full_folder_is_409_and_stays(
    linear, table, serve, send, row, settings, words
):
    client = serve(**settings)
    assert send(client).status_code == 201
    for reply in (send(serve(**settings), image=png([[1, 2]])), row(client)):
        assert words in error_of(reply, 409)
    assert send(client, label="two").status_code == 201


def test_a_full_disk_is_500_without_a_folder(linear, send, root, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk.os, "fsync", full)
    reply = send()
    assert error_of(reply, 500) == (
        "the feedback cannot be kept: No space left on device; make room there, or look"
        " at the folder that 'feedbackDir' names"
    )
    assert files(root) == []


def test_without_a_folder_nothing_is_kept(linear, table, serve, send, row, root):
    client = serve(feedback_dir="")
    for reply in (send(client), row(client), client.simulate_post("/feedback")):
        assert error_of(reply, 403) == (
            "config.json has no 'feedbackDir', so this service keeps no feedback"
        )
    assert not root.exists()


def test_it_is_a_write(linear, serve, send):
    client = serve(write_tokens=(digest_of("secret"),), predict_tokens=())
    assert send(client).status_code == 401
    body, headers = form(image=PICTURE, model="linear", label="one")
    for token, status in (("wrong", 401), ("secret", 201)):
        given = {**headers, "Authorization": f"Bearer {token}"}
        reply = client.simulate_post("/feedback", body=body, headers=given)
        assert reply.status_code == status
    open_one = serve()
    reply = open_one.simulate_post(
        "/feedback", body=body, headers=headers, remote_addr="192.0.2.1"
    )
    assert "taken from the service's own machine alone" in error_of(reply, 403)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_another_method_is_405(client, method):
    reply = client.simulate_request(method, "/feedback")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "POST, OPTIONS"


def test_it_is_counted_by_model(linear, send):
    def count():
        return REGISTRY.get_sample_value("tfaas_feedback_total", {"model": "linear"})

    before = count() or 0
    send()
    send(label="three")
    assert count() == before + 1


@pytest.mark.parametrize("feedback_dir", ["", "kept"])
def test_the_status_tells_whether_feedback_is_taken(serve, feedback_dir):
    status = serve(feedback_dir=feedback_dir).simulate_get("/status").json
    assert status["feedback"] is bool(feedback_dir)
