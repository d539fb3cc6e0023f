"""POST /predict/image takes several images, and answers with the best labels."""

import pytest
from PIL import Image

from runtime.models.model import Model
from tests.examples import WEIGHTS, linear_onnx, write_bundle
from tests.forms import form, multipart, png
from tests.pictures import saved
from tests.replies import error_of
from tests.runtime.graphs import brightness, identity, onnx_of, total

LABELS = "application/vnd.tfaas.labels+json"
A, B, C = ([[10, 20], [30, 40]], [[1, 2], [3, 4]], [[0, 0], [0, 5]])
# Pixel 0 feeds class 0, pixel 1 feeds class 1, pixels 2 and 3 feed class 2.
SCORES_A, SCORES_B, SCORES_C = [10, 20, 70], [1, 2, 7], [0, 0, 5]


@pytest.fixture
def linear(publish):
    publish("linear", channels=1, labels=("zero", "one", "two"))


@pytest.fixture
def ask(client):
    def ask(
        *images, model="linear", query="", accept="*/*", path="/predict/image", **f
    ):
        files = [
            ("image", png(pixels) if isinstance(pixels, list) else pixels, f"{n}.png")
            for n, pixels in enumerate(images)
        ]
        fields = [(name, value, None) for name, value in f.items()]
        body, headers = multipart(("model", model, None), *files, *fields)
        headers["Accept"] = accept
        return client.simulate_post(
            path, query_string=query, body=body, headers=headers
        )

    return ask


def test_several_images_are_answered_in_their_order(ask, linear):
    assert ask(A, B, C).json == [SCORES_A, SCORES_B, SCORES_C]
    assert ask(C, A, A).json == [SCORES_C, SCORES_A, SCORES_A]
    assert ask(B).json == SCORES_B


@pytest.mark.parametrize("path", ["/predict/image", "/predict"])
def test_a_files_name_without_its_at_sign_is_told(client, linear, path):
    """curl -F image=img1.png sends the name, and -F image=@img1.png the file."""
    for value, has_hint in (("my dir/img1.png", True), ("no name", False)):
        body, headers = form(image=value, model="linear")
        told = error_of(client.simulate_post(path, body=body, headers=headers))
        assert told.startswith("Invalid image: ")
        assert ("curl sends the file" in told) == has_hint
        assert ("-F image=@my dir/img1.png" in told) == has_hint
    body, headers = form(image=[png(A), "b.jpeg"], model="linear")
    told = error_of(client.simulate_post(path, body=body, headers=headers))
    assert "(image 2 of 2); the field 'image' has the text 'b.jpeg'" in told
    # A file with this content was sent as one.
    body, headers = multipart(("model", "linear", None), ("image", b"a.png", "a.png"))
    told = error_of(client.simulate_post(path, body=body, headers=headers))
    assert "curl" not in told


def test_images_of_different_sizes_are_brought_to_the_models(ask, linear):
    large = [[7] * 16] * 9  # it has one colour at any size
    assert ask(A, large, C).json == [SCORES_A, [7, 7, 14], SCORES_C]


def test_a_model_of_free_size_answers_each_by_its_own(ask, publish):
    publish("free", total("n", "h", "w", 1), channels=1)
    wide = [[1, 2, 3]]
    assert ask(A, wide, B, B, model="free").json == [[100], [6], [10], [10]]


def test_answers_that_are_pictures_may_have_different_sizes(ask, publish):
    publish("same", identity(1, "n", "h", "w", 1), channels=1)
    answers = ask(A, [[1, 2, 3]], model="same").json
    assert answers == [[[[10], [20]], [[30], [40]]], [[[1], [2], [3]]]]


def test_a_fixed_batch_answers_as_many_as_there_are(ask, publish):
    publish("fixed", brightness(2, 2, 2, 1), channels=1)
    white, black, grey = [[255] * 2] * 2, [[0] * 2] * 2, [[51] * 2] * 2
    reply = ask(white, black, grey, model="fixed")
    assert reply.json == [[1], [0], [pytest.approx(0.2)]]
    assert ask(grey, model="fixed").json == [pytest.approx(0.2)]


def test_one_bad_image_of_several_is_named(ask, linear):
    sentence = error_of(ask(A, b"hello", C))
    assert sentence.startswith("Invalid image")
    assert sentence.endswith("(image 2 of 3)")
    assert "image 3 of 3" in error_of(ask(A, B, b""))
    assert "of 1" not in error_of(ask(b"hello"))


def test_more_images_than_a_request_may_have_are_told_so(ask, linear):
    assert len(ask(*[B] * 63).json) == 63  # the model's name is part 64
    assert "more than 64 parts; send several requests" in error_of(ask(*[B] * 64), 413)


def test_more_pixels_than_a_request_may_have_are_told_so(ask, linear):
    large = saved(Image.new("1", (4096, 4096)))
    sentence = error_of(ask(*[large] * 5), 413)
    assert "more than 67108864 in all; send several requests" in sentence


# -- labels ---------------------------------------------------------------------------


def label(name, probability):
    return {"label": name, "probability": probability}


BEST_A = [label("two", 70), label("one", 20), label("zero", 10)]


@pytest.mark.parametrize(
    ("top", "best"), [("1", BEST_A[:1]), ("3", BEST_A), ("99", BEST_A)]
)
@pytest.mark.parametrize("where", ["field", "query"])
def test_the_best_labels_are_answered_best_first(ask, linear, top, best, where):
    reply = ask(A, top=top) if where == "field" else ask(A, query=f"top={top}")
    assert reply.json == {"filename": "0.png", "labels": best}
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Model-Version"] == "1"


def test_of_several_images_each_has_its_filename(ask, linear):
    assert ask(A, C, top="1").json == [
        {"filename": "0.png", "labels": [label("two", 70)]},
        {"filename": "1.png", "labels": [label("two", 5)]},
    ]


def test_of_equal_scores_the_first_label_comes_first(ask, linear):
    best = ask(C, top="3").json["labels"]
    assert best == [label("two", 5), label("zero", 0), label("one", 0)]


@pytest.mark.parametrize("filename", ["größer ☃.png", "../x", "", None])
def test_a_filename_is_answered_as_it_was_sent(client, linear, filename):
    body, headers = multipart(
        ("image", png(A), filename), ("model", "linear", None), ("top", "1", None)
    )
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert reply.json["filename"] == (filename or "")


def test_a_filename_that_utf8_cannot_say_breaks_nothing(client, linear):
    """+2AA- is half of a surrogate pair in UTF-7; RFC 7578 does not allow filename*."""
    body, headers = multipart(("image", png(A), "X"), ("model", "linear", None))
    body = body.replace(b'filename="X"', b"filename*=utf-7''+2AA-")
    reply = client.simulate_post("/image?top=1", body=body, headers=headers)
    assert reply.json["filename"] == ""


def test_a_client_may_ask_for_labels_by_its_accept_header(ask, publish):
    rows = [("Flatten", ["x"], ["y"], {})]
    seven = onnx_of(rows, [("x", 1, ("n", 1, 7, 1))], [("y", 1, ("n", 7))])
    publish("seven", seven, channels=1, labels=tuple("abcdefg"))
    pixels = [[1, 7, 2, 6, 3, 5, 4]]
    reply = ask(pixels, model="seven", accept=LABELS)
    assert [label["label"] for label in reply.json["labels"]] == list("bdfge")
    assert reply.headers["Content-Type"] == LABELS
    reply = ask(pixels, model="seven", accept=LABELS, top="6")
    assert [label["label"] for label in reply.json["labels"]] == list("bdfgec")


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        f"application/json, {LABELS};q=0.5",
        "",
        "nonsense",
        f"{LABELS};q=0",
    ],
)
def test_who_does_not_ask_for_labels_gets_the_array(ask, linear, accept):
    reply = ask(A, accept=accept)
    assert reply.json == SCORES_A
    assert reply.headers["Content-Type"] == "application/json"


def test_an_error_is_json_whatever_the_accept_header_asks_for(ask, linear):
    error_of(ask(b"hello", accept=LABELS))


def test_a_model_that_answers_labels_does_so_unasked(ask, linear, monkeypatch):
    init = Model.__init__

    def of_tfaas_first_kind(self, *args, **more):
        init(self, *args, **more)
        self.answers_labels = True

    monkeypatch.setattr(Model, "__init__", of_tfaas_first_kind)
    reply = ask(A)
    assert reply.json == {"filename": "0.png", "labels": BEST_A}
    assert reply.headers["Content-Type"] == "application/json"
    assert ask(A, top="1").json["labels"] == BEST_A[:1]


def test_classes_that_such_a_model_has_no_label_for_are_left_out(ask, store):
    """The graph was converted, and model.onnx gives the numbers."""

    def write(folder):
        nodes = {"model": "tf.pb", "inputNode": "pixels", "outputNode": "scores"}
        write_bundle(folder, labels=("zero", "one"), params=nodes, proved=False)
        (folder / "tf.pb").write_bytes(b"")

    store.install(write)
    best = [label("one", 20), label("zero", 10)]
    assert ask(A).json == {"filename": "0.png", "labels": best}


@pytest.mark.parametrize("top", ["0", "-1", "1.5", "five", "", "1" * 400, "٣"])
def test_a_number_of_labels_that_is_none_is_told_so(ask, linear, top):
    assert "'top' is" in error_of(ask(A, top=top))


def test_without_labels_the_index_is_the_label(ask, publish):
    publish("bare", channels=1)
    assert ask(A, model="bare", top="2").json["labels"] == [
        label("2", 70),
        label("1", 20),
    ]


def test_one_score_tells_between_two_labels(ask, publish):
    publish("cats", brightness(), channels=1, labels=("cat", "dog"))
    grey = [[51, 51], [51, 51]]  # 51 / 255 is a fifth
    assert ask(grey, model="cats").json == [pytest.approx(0.2)]
    assert ask(grey, model="cats", top="2").json["labels"] == [
        label("cat", pytest.approx(0.8)),
        label("dog", pytest.approx(0.2)),
    ]


def test_what_is_no_list_of_scores_has_no_labels(ask, publish):
    publish("same", identity(1, "n", 2, 2, 1), channels=1)
    assert "no scores of classes" in error_of(ask(A, model="same", top="1"))


# -- versions and labels of models ----------------------------------------------------


@pytest.fixture
def two_versions(publish, store):
    """Publish two versions; version 2 is the canary, and its scores are doubled."""
    for factor in (1, 2):
        publish("linear", linear_onnx(WEIGHTS * factor), channels=1)
    store.set_label("linear", "stable", 1)
    store.set_label("linear", "canary", 2)


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ({}, 1),
        ({"version": "1"}, 1),
        ({"version": "2"}, 2),
        ({"label": "canary"}, 2),
        ({"label": "stable"}, 1),
    ],
)
@pytest.mark.parametrize("where", ["query", "form", "both"])
def test_the_version_that_is_asked_for_answers(
    ask, two_versions, asked, version, where
):
    query = "&".join(f"{k}={v}" for k, v in asked.items()) if where != "form" else ""
    reply = ask(B, query=query, **(asked if where != "query" else {}))
    assert reply.json == [version * score for score in SCORES_B]
    assert reply.headers["X-Model-Version"] == str(version)


@pytest.mark.parametrize(
    ("query", "fields", "sentence"),
    [
        ("version=1&label=canary", {}, "'version' and 'label' are both there"),
        ("version=1", {"label": "canary"}, "'version' and 'label' are both there"),
        (
            "version=1",
            {"version": "2"},
            "'version' is '1' in the query and '2' in the body",
        ),
        ("label=a", {"label": "b"}, "'label' is 'a' in the query and 'b' in the body"),
        ("top=1", {"top": "2"}, "'top' is '1' in the query"),
        ("version=1&version=2", {}, "the query has 'version' twice"),
        ("version=one", {}, "'version' is 'one'; it must be a whole number of 1 to"),
        ("version=", {}, "'version' is ''"),
        ("version=-1", {}, "'version' is '-1'"),
        ("", {"version": "1.0"}, "'version' is '1.0'"),
        ("label=", {}, "'label' is empty"),
    ],
)
def test_what_cannot_be_asked_for_is_told_so(
    ask, two_versions, query, fields, sentence
):
    assert sentence in error_of(ask(B, query=query, **fields))


@pytest.mark.parametrize(
    "query", ["version=3", "version=0", "label=nosuch", "label=../x"]
)
def test_a_version_that_is_not_there_is_not_found(ask, two_versions, query):
    assert "model 'linear' has no" in error_of(ask(B, query=query), 404)


@pytest.mark.parametrize("query", ["version=1", "label=stable", "version=0"])
@pytest.mark.parametrize("name", ["../models/linear", "linear/../linear", ".", "a\0b"])
def test_a_version_is_looked_for_in_the_store_alone(ask, two_versions, query, name):
    assert "there is no model" in error_of(ask(B, model=name, query=query), 404)


def test_a_field_that_is_no_text_is_told_so(client, linear):
    body, headers = form(image=png(A), model="linear", label=b"\xff")
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert "the field 'label' is not a text" in error_of(reply)
