"""The client asks what it is told to ask, and reads the answers."""

import json
import math

import numpy as np
import pytest

from bundle.params import MODEL_NAME
from bundle.version_labels import LABEL_NAME
from tests.tfaas_onnx.talk import Talk
from tfaas_onnx import InvalidInput, NotAService, NotFound, WrongArgument, names

BLACK = np.zeros((2, 2), np.uint8)
ANSWERED = {
    "X-Model-Backend": "onnxruntime/CPUExecutionProvider",
    "X-Model-Version": "3",
    "X-Request-Id": "abc",
}
IMAGE = {"filename": "", "labels": [{"label": "one", "probability": 0.5}]}
METADATA = (
    200,
    {},
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]},
)
HEAD = json.dumps(
    {
        "outputs": [
            {
                "name": "y",
                "datatype": "FP32",
                "shape": [1, 1],
                "parameters": {"binary_data_size": 4},
            }
        ]
    }
).encode()
INFERRED = (
    200,
    {**ANSWERED, "Inference-Header-Content-Length": str(len(HEAD))},
    HEAD + np.float32(7).tobytes(),
)
REFUSED = (400, {}, {"error": "the model has no input 'x'"})


def predict_images(talk, pictures, **given):
    chosen = {"model": None, "version": None, "label": None, "top": None, **given}
    return talk.run(talk.core.predict_images(pictures, **chosen))


def predict(talk, inputs, **given):
    chosen = {"model": "a", "version": None, "label": None, **given}
    return talk.run(talk.core.predict(inputs, **chosen))


def test_the_names_are_those_of_the_service():
    assert names.MODEL_NAME.pattern == MODEL_NAME.pattern
    assert names.LABEL_NAME.pattern == LABEL_NAME.pattern


def test_a_picture_is_a_part_of_a_form_and_all_else_is_in_the_query():
    talk = Talk((200, ANSWERED, IMAGE))
    (answer,) = predict_images(talk, [b"GIF89a"], model="a", label="old", top=2)
    (send,) = talk.sent
    assert (send.call.method, send.call.path) == ("POST", "/predict/image")
    assert send.call.files == (("image", "picture", b"GIF89a"),)
    assert send.call.params == {"model": "a", "label": "old", "top": "2"}
    assert send.call.headers == {"Accept": "application/vnd.tfaas.labels+json"}
    assert (answer.label, answer.probability) == ("one", 0.5)
    assert (answer.backend, answer.version, answer.request_id) == (
        "onnxruntime/CPUExecutionProvider",
        3,
        "abc",
    )


def test_a_score_that_is_no_number_stays_none():
    labels = [{"label": "one", "probability": None}]
    (answer,) = predict_images(Talk((200, {}, {"labels": labels})), [BLACK])
    assert math.isnan(answer.probability)
    assert (answer.version, answer.backend) == (None, "")
    (answer,) = predict_images(Talk((200, {}, {"labels": []})), [BLACK])
    assert (answer.label, math.isnan(answer.probability)) == ("", True)


def test_33_pictures_are_two_forms_in_their_order():
    answers = [{"labels": [{"label": str(n), "probability": 1}]} for n in range(33)]
    talk = Talk((200, {}, answers[:32]), (200, {}, answers[32]))
    found = predict_images(talk, [BLACK] * 33)
    assert [answer.label for answer in found] == [str(n) for n in range(33)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_server_must_answer_each_picture(count):
    talk = Talk((200, {}, [IMAGE] * count))
    with pytest.raises(NotAService):
        predict_images(talk, [BLACK] * 2)


def test_an_array_gets_the_name_and_the_dtype_of_the_input():
    talk = Talk(METADATA, INFERRED)
    answer = predict(talk, [[1, 2]])
    assert answer["y"].tolist() == [[7.0]]
    assert (answer.version, answer.request_id) == (3, "abc")
    asked, sent = (send.call for send in talk.sent)
    assert (asked.method, asked.path) == ("GET", "/v2/models/a")
    assert (sent.method, sent.path) == ("POST", "/v2/models/a/infer")
    length = int(sent.headers["Inference-Header-Content-Length"])
    assert json.loads(sent.content[:length]) == {
        "inputs": [
            {
                "name": "x",
                "datatype": "FP32",
                "shape": [1, 2],
                "parameters": {"binary_data_size": 8},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    assert np.frombuffer(sent.content[length:], "<f4").tolist() == [1, 2]


def test_the_names_of_inputs_are_asked_once():
    talk = Talk(METADATA, INFERRED, INFERRED, METADATA, INFERRED)
    predict(talk, [[1, 2]])
    predict(talk, {"x": [[1, 2]]})
    predict(talk, [[1, 2]], version=4)
    assert [send.call.path for send in talk.sent][2:] == [
        "/v2/models/a/infer",
        "/v2/models/a/versions/4",
        "/v2/models/a/versions/4/infer",
    ]


def predict_rows(talk, rows, **given):
    chosen = {"model": "a", "version": None, "label": None, **given}
    return talk.run(talk.core.predict_rows(rows, **chosen))


def test_rows_are_sent_by_their_names_and_nan_is_null():
    talk = Talk((200, ANSWERED, [[0.25, 0.75], [1, 0]]))
    rows = [
        {"pt": np.float32(0.5), "part": "µ", "njet": np.int64(2), "good": True},
        {"part": None, "pt": math.nan, "good": False, "njet": 1},
    ]
    scores = predict_rows(talk, rows, version=3)
    assert scores.tolist() == [[0.25, 0.75], [1, 0]]
    ((call),) = [send.call for send in talk.sent]
    assert (call.method, call.path) == ("POST", "/predict/json")
    assert json.loads(call.content) == {
        "model": "a",
        "version": 3,
        "keys": ["pt", "part", "njet", "good"],
        "values": [[0.5, "µ", 2, True], [None, None, 1, False]],
    }


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ({"pt": 1}, "must be a list of dicts"),
        ([[1]], "must be a list of dicts"),
        ([], "are none"),
        ([{"pt": 1}, {"pt": 1, "x": 2}], r"have other names in rows\[1\]"),
        ([{"pt": 1}, {"pt": math.inf}], r"hold infinity as rows\[1\]\['pt'\]"),
        ([{"pt": [1]}], r"hold list as rows\[0\]\['pt'\]; give a number or a text"),
    ],
)
def test_rows_that_are_none_are_not_sent(rows, problem):
    talk = Talk()
    with pytest.raises(WrongArgument, match=f"^rows {problem}"):
        predict_rows(talk, rows)
    assert not talk.sent


@pytest.mark.parametrize("answer", [[[1, 2]], {"a": 1}, [[1], [1, 2]], [{}, {}], [1]])
def test_a_server_must_answer_each_row(answer):
    with pytest.raises(NotAService):
        predict_rows(Talk((200, {}, answer)), [{"pt": 1}] * 2)


def test_the_names_are_asked_again_when_they_no_longer_fit():
    renamed = {"inputs": [{"name": "z", "datatype": "FP32", "shape": [-1, 2]}]}
    talk = Talk(METADATA, INFERRED, REFUSED, (200, {}, renamed), INFERRED)
    predict(talk, [[1, 2]])
    assert predict(talk, [[1, 2]])["y"].tolist() == [[7.0]]
    assert b'"name": "z"' in talk.sent[-1].call.content


def test_an_input_that_never_fits_is_refused_once():
    talk = Talk(METADATA, REFUSED)
    with pytest.raises(InvalidInput, match="the model has no input 'x'"):
        predict(talk, [[1, 2]])
    assert len(talk.sent) == 2


def test_a_label_becomes_its_version():
    talk = Talk((200, {}, {"old": 4}), METADATA, INFERRED)
    predict(talk, [[1, 2]], label="old")
    assert [send.call.path for send in talk.sent] == [
        "/models/a/labels",
        "/v2/models/a/versions/4",
        "/v2/models/a/versions/4/infer",
    ]
    with pytest.raises(NotFound, match="model 'a' has no label 'older'"):
        predict(Talk((200, {}, {"old": 4})), [[1, 2]], label="older")


def test_predictions_tell_the_server_that_nobody_waits_for_ever():
    talk = Talk(METADATA, INFERRED)
    predict(talk, [[1, 2]])
    assert [send.call.is_prediction for send in talk.sent] == [False, True]


def test_a_server_that_does_not_answer_is_not_ready():
    reasons = {"status": "not ready", "reasons": ["the service is ending"]}
    for reply, is_ready in (
        ((200, {}, {"status": "ready"}), True),
        ((503, {"Retry-After": "1"}, reasons), False),
    ):
        talk = Talk(reply)
        assert talk.run(talk.core.ready()) is is_ready
        assert len(talk.sent) == 1


@pytest.mark.parametrize("name", ["", "..", "../a", "a/b", "a?b", "-a", "a" * 129, 3])
def test_a_name_that_no_model_has_is_not_sent(name):
    talk = Talk()
    for steps in (
        lambda: talk.core.model(name),
        lambda: talk.core.delete(name, None),
        lambda: talk.core.label(name, "old", 1),
        lambda: talk.core.bundle(name, 1),
        lambda: talk.core.predict(1, name, None, None),
        lambda: talk.core.predict_images([BLACK], name, None, None, None),
    ):
        with pytest.raises(WrongArgument, match="is no model's name"):
            talk.run(steps())
    assert talk.sent == []


def test_arguments_that_contradict_each_other_are_not_sent():
    with pytest.raises(WrongArgument, match="give one of them"):
        predict_images(Talk(), [BLACK], version=1, label="old")
    for one in ("img1.png", b"GIF89a"):
        with pytest.raises(WrongArgument, match="pictures must be a list"):
            predict_images(Talk(), one)
    with pytest.raises(WrongArgument, match="top is 0; it must be 1 or more"):
        predict_images(Talk(), [BLACK], top=0)
    with pytest.raises(WrongArgument, match="is no whole number"):
        predict_images(Talk(), [BLACK], version=-1)
    with pytest.raises(WrongArgument, match="is no label's name"):
        predict_images(Talk(), [BLACK], label="a/b")
