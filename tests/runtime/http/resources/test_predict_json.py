"""POST /predict/json takes rows of numbers, and inputs by name."""

import dataclasses
import json

import numpy as np
import pytest

from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import LocalClient
from tests.replies import error_of
from tests.runtime.graphs import (
    BOOL,
    FLOAT,
    FLOAT16,
    INT64,
    STRING,
    UINT8,
    identity,
    onnx_of,
    texts_and_flags,
    total,
    two_inputs,
)

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture
def ask(client):
    def ask(body, path="/predict/json", **more):
        if isinstance(body, dict):
            body = json.dumps(body)
        return client.simulate_post(path, body=body, **more)

    return ask


# -- rows -----------------------------------------------------------------------------


def test_values_that_the_model_refuses_are_the_clients_fault(ask, publish, caplog):
    """An embedding of three rows has no row 3."""
    embedding = onnx_of(
        [("Gather", ["rows", "x"], ["y"], {"axis": 0})],
        [("x", INT64, ("n", 1))],
        [("y", FLOAT, ("n", 1, 1))],
        rows=np.array([[5], [6], [7]], np.float32),
    )
    publish("embedding", embedding)
    answer = ask({"inputs": {"x": [[2]]}, "model": "embedding"}).json
    assert answer == {"outputs": {"y": [[[7.0]]]}}
    reply = ask({"inputs": {"x": [[2], [3]]}, "model": "embedding"})
    assert error_of(reply) == (
        "the model does not take these values: ONNX Runtime failed on this input"
    )
    assert "idx=3" in caplog.text, "the log has the engine's own words"


@pytest.mark.parametrize("path", ["/predict/json", "/json"])
def test_a_row_is_answered_with_an_array_of_floats(ask, publish, path):
    publish("rows", identity())
    body = {"keys": ["a", "b", "c"], "values": [1, 2.5, -3], "model": "rows"}
    reply = ask(body, path)
    assert reply.status_code == 200
    assert reply.text == "[1.0,2.5,-3.0]\n"
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Model-Backend"] == CPU
    assert reply.headers["X-Model-Version"] == "1"


def test_the_shortest_number_that_is_the_same_float32_is_written(ask, publish):
    publish("rows", identity())
    reply = ask({"values": [0.1, 1e-30, 16777217], "model": "rows"})
    assert reply.text == "[0.1,1e-30,16777216.0]\n"


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json;charset=UTF-8"])
def test_the_content_type_does_not_matter(ask, publish, kind):
    publish("rows", identity())
    body = {"values": [1, 2, 3], "model": "rows"}
    assert ask(body, headers={"Content-Type": kind}).json == [1, 2, 3]


def test_several_rows_are_answered_with_an_array_of_arrays(ask, publish):
    publish("rows", identity())
    rows = [[1, 2, 3], [4, 5, 6]]
    assert ask({"values": rows, "model": "rows"}).json == rows
    assert ask({"values": rows[:1], "model": "rows"}).json == rows[:1]


def test_many_rows_keep_their_order(ask, publish):
    publish("rows", identity())
    rows = [[n, 0, -n] for n in range(2000)]
    assert ask({"values": rows, "model": "rows"}).json == rows


@pytest.mark.parametrize("keys", [None, []])
def test_no_keys_are_taken_as_go_sends_them(ask, publish, keys):
    publish("rows", identity())
    assert ask({"keys": keys, "values": [1, 2, 3], "model": "rows"}).json == [1, 2, 3]


def test_no_keys_are_no_order_for_a_model_that_names_its_features(ask, publish):
    """If the order of the values were another one, the answer would be wrong."""
    publish("rows", identity(), features=["pt", "eta", "phi"])
    reply = ask({"values": [1, 2, 3], "model": "rows"})
    assert "the key 'pt' is missing; the model takes pt, eta, phi" in error_of(reply)


def test_keys_are_matched_with_the_models_features(ask, publish):
    publish("rows", identity(), features=["pt", "eta", "phi"])
    body = {"keys": ["phi", "pt", "eta"], "values": [3, 1, 2], "model": "rows"}
    assert ask(body).json == [1, 2, 3]
    body["values"] = [[3, 1, 2], [30, 10, 20]]
    assert ask(body).json == [[1, 2, 3], [10, 20, 30]]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (["pt", "eta", "mass"], "no feature 'mass'; it has pt, eta, phi"),
        (["pt", "eta", "pt"], "the key 'pt' is there twice"),
        (["pt", "eta"], "2 keys and 3 values"),
        (["pt", "eta", "phi", "mass"], "4 keys and 3 values"),
        (["pt", "eta", 3], "'keys' must be a list of texts"),
        ("pt", "'keys' must be a list of texts"),
        ({"pt": 1}, "'keys' must be a list of texts"),
    ],
)
def test_keys_that_do_not_fit_are_named(ask, publish, keys, sentence):
    publish("rows", identity(), features=["pt", "eta", "phi"])
    reply = ask({"keys": keys, "values": [1, 2, 3], "model": "rows"})
    assert sentence in error_of(reply)


def test_a_missing_key_is_named(ask, publish):
    publish("rows", identity(), features=["pt", "eta", "phi"])
    reply = ask({"keys": ["pt", "eta"], "values": [1, 2], "model": "rows"})
    assert "the key 'phi' is missing" in error_of(reply)


def test_without_features_the_number_of_keys_must_fit(ask, publish):
    publish("rows", identity())
    reply = ask({"keys": ["a", "b"], "values": [1, 2, 3], "model": "rows"})
    assert "2 keys and 3 values" in error_of(reply)


@pytest.mark.parametrize("values", [[1, 2], [1, 2, 3, 4], [[1, 2]], [[1, 2, 3, 4]]])
def test_a_wrong_number_of_values_names_both(ask, publish, values):
    publish("rows", identity())
    got = 2 if values in ([1, 2], [[1, 2]]) else 4
    sentence = f"a row has {got} values and the model takes 3"
    assert sentence in error_of(ask({"values": values, "model": "rows"}))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], "'values' is empty"),
        ([[]], "'values' is empty"),
        ([[], []], "'values' is empty"),
        ([[1, 2, 3], [1, 2]], "'values' is ragged"),
        ([[1, 2, 3], 4], "'values' is ragged"),
        ([1, [2, 3]], "'values' is ragged"),
        ([[[1, 2, 3]]], "a list of such rows"),
        (7, "'values' must be a list of numbers"),
        ("123", "'values' must be a list of numbers"),
        ({"a": 1}, "'values' must be a list of numbers"),
        ([1, 2, True], "must hold numbers, and holds true or false"),
        ([1, 2, None], "must hold numbers, and holds null"),
        ([1, 2, "3"], "must hold numbers, and holds a text"),
        ([1, 2, {}], "must hold numbers, and holds an object"),
        ([1, 2, 1e39], "too large for the model's float32"),
        ([1, 2, -1e308], "too large for the model's float32"),
    ],
)
def test_values_that_are_no_rows_are_told_so(ask, publish, values, sentence):
    publish("rows", identity())
    assert sentence in error_of(ask({"values": values, "model": "rows"}))


def test_half_precision_has_its_own_range(ask, publish):
    publish("rows", identity(FLOAT16))
    assert ask({"values": [1, 0.5, 65504], "model": "rows"}).json == [1, 0.5, 65504]
    reply = ask({"values": [1, 2, 65520], "model": "rows"})
    assert "too large for the model's float16" in error_of(reply)


def test_whole_numbers_keep_all_their_digits(ask, publish):
    publish("rows", identity(INT64))
    values = [2**63 - 1, -(2**63), 2**53 + 1]
    assert ask({"values": values, "model": "rows"}).json == values
    assert ask({"values": [1.0, 2, 1e15], "model": "rows"}).json == [1, 2, 10**15]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (1.5, "must hold whole numbers: the model takes uint8"),
        (256, "beyond the model's uint8, 0 to 255"),
        (-1, "beyond the model's uint8, 0 to 255"),
        (2**64, "must hold whole numbers"),  # orjson cannot read it as a whole number
        (True, "holds true or false"),
    ],
)
def test_whole_numbers_are_neither_rounded_nor_wrapped(ask, publish, value, sentence):
    publish("rows", identity(UINT8))
    assert sentence in error_of(ask({"values": [1, 2, value], "model": "rows"}))


def test_a_row_is_given_the_shape_of_an_item(ask, publish):
    """784 values make an MNIST image; 2 x 3 x 1 values make an item here."""
    publish("rows", total("n", 2, 3, 1))
    assert ask({"values": [1, 2, 3, 4, 5, 6], "model": "rows"}).json == [21]
    assert ask({"values": [[1] * 6, [2] * 6], "model": "rows"}).json == [[6], [12]]


def test_a_row_is_laid_out_as_numpy_does(ask, publish):
    publish("rows", identity(1, "n", 2, 2))
    reply = ask({"values": [1, 2, 3, 4], "model": "rows"})
    assert reply.json == np.array([1, 2, 3, 4]).reshape(2, 2).tolist()


def test_one_free_axis_takes_what_the_others_leave(ask, publish):
    publish("rows", total("n", "steps", 2))
    assert ask({"values": [1, 2, 3, 4, 5, 6], "model": "rows"}).json == [21]
    reply = ask({"values": [1, 2, 3], "model": "rows"})
    assert "3 values and the model takes a multiple of 2" in error_of(reply)


def test_a_fixed_batch_is_filled_up_and_cut_again(ask, publish):
    publish("rows", identity(1, 4, 2))
    assert ask({"values": [1, 2], "model": "rows"}).json == [1, 2]
    rows = [[n, -n] for n in range(9)]  # two whole batches and part of a third
    assert ask({"values": rows, "model": "rows"}).json == rows


@pytest.mark.parametrize(
    "make",
    [two_inputs, texts_and_flags, lambda: total("n", "h", "w"), lambda: identity(BOOL)],
)
def test_a_model_that_takes_no_rows_says_what_to_send(ask, publish, make):
    publish("other", make())
    reply = ask({"values": [1, 2, 3], "model": "other"})
    assert "takes no rows of numbers: send 'inputs' with" in error_of(reply)


def test_a_model_without_a_batch_axis_in_its_answer_says_so(ask, publish):
    mean = onnx_of(
        [("ReduceMean", ["x"], ["y"], {"keepdims": 0})],
        [("x", 1, ("n", 3))],
        [("y", 1, ())],
    )
    publish("mean", mean)
    reply = ask({"values": [1, 2, 3], "model": "mean"})
    assert "'y' has no batch axis" in error_of(reply)
    reply = ask({"inputs": {"x": [[1, 2, 3], [4, 5, 6]]}, "model": "mean"})
    assert reply.json == {"outputs": {"y": 3.5}}


@pytest.mark.parametrize("batch", ["n", 1])
def test_numbers_beyond_one_an_item_are_not_cut_off(ask, publish, batch):
    flat = onnx_of(
        [("Reshape", ["x", "all"], ["y"], {})],
        [("x", 1, (batch, 3))],
        [("y", 1, ("m",))],
        all=np.array([-1], np.int64),
    )
    publish("flat", flat)
    reply = ask({"values": [1, 2, 3], "model": "flat"})
    assert reply.status_code == 400
    assert "1 items were answered with the shape (3,)" in error_of(reply)
    reply = ask({"inputs": {"x": [[1, 2, 3]]}, "model": "flat"})
    assert reply.json == {"outputs": {"y": [1, 2, 3]}}


def test_an_answer_that_json_cannot_say_is_an_error(ask, publish):
    publish(
        "log", onnx_of([("Log", ["x"], ["y"], {})], *[[(n, 1, ("n", 1))] for n in "xy"])
    )
    assert ask({"values": [1], "model": "log"}).json == [0]
    for body in ({"values": [0]}, {"values": [-1]}, {"inputs": {"x": [[0]]}}):
        assert "NaN or infinity" in error_of(ask({**body, "model": "log"}), 500)


def test_an_image_model_takes_its_pixels_as_a_row(ask, publish):
    publish("linear", channels=1)
    assert ask({"values": [10, 20, 30, 40], "model": "linear"}).json == [10, 20, 70]


# -- inputs by name -------------------------------------------------------------------


def test_several_inputs_are_answered_with_all_outputs(ask, publish):
    publish("two", two_inputs())
    inputs = {"b": [[1, 2], [3, 4]], "a": [[0.5, 0.5], [0, -1]]}
    reply = ask({"inputs": inputs, "model": "two"})
    assert reply.json == {
        "outputs": {"sum": [[1.5, 2.5], [3, 3]], "less": [[0, 1], [2, 3]]}
    }
    assert reply.headers["X-Model-Backend"] == CPU


def test_texts_and_booleans_go_in_and_out(ask, publish):
    publish("texts", texts_and_flags())
    texts = ["größer ☃", "", 'a "b" \\ c\n']
    inputs = {"text": texts, "flag": [True, False, True]}
    reply = ask({"inputs": inputs, "model": "texts"})
    assert reply.json == {"outputs": {"same": texts, "other": [False, True, False]}}


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"a": [[1, 2]]}, "input 'b' is missing"),
        ({}, "input 'a' is missing"),
        (
            {"a": [[1, 2]], "b": [[1, 2]], "c": 1},
            "the model has no input 'c'; its inputs are a, b",
        ),
        ({"a": [[1, 2], [3]], "b": [[1, 2]]}, "input 'a' is ragged"),
        ({"a": [[1, 2]], "b": [[1, [2]]]}, "input 'b' is ragged"),
        (
            {"a": [1, 2], "b": [[1, 2]]},
            "input 'a' has shape (2) and the model takes (any, 2)",
        ),
        ({"a": [[1, 2, 3]], "b": [[1, 2]]}, "input 'a' has shape (1, 3)"),
        ({"a": [], "b": [[1, 2]]}, "input 'a' has shape (0)"),
        ({"a": [[], []], "b": [[1, 2]]}, "input 'a' has shape (2, 0)"),
        ({"a": [[1, 2]], "b": [[1.5, 2]]}, "input 'b' must hold whole numbers"),
        (
            {"a": [[1, 2]], "b": [["1", 2]]},
            "input 'b' must hold numbers, and holds a text",
        ),
        (
            {"a": [[True, 2]], "b": [[1, 2]]},
            "input 'a' must hold numbers, and holds true or false",
        ),
        (
            {"a": [[1, None]], "b": [[1, 2]]},
            "input 'a' must hold numbers, and holds null",
        ),
        ({"a": 1, "b": [[1, 2]]}, "input 'a' has shape ()"),
        ({"a": [[1, 2]] * 2, "b": [[1, 2]] * 3}, "first axes are 2, 3 long"),
        ([[1, 2]], "'inputs' must be an object"),
        ("a", "'inputs' must be an object"),
    ],
)
def test_inputs_that_are_not_the_models_are_named(ask, publish, inputs, sentence):
    publish("two", two_inputs())
    assert sentence in error_of(ask({"inputs": inputs, "model": "two"}))


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"text": [1], "flag": [True]}, "'text' must hold texts, and holds a number"),
        ({"text": [None], "flag": [True]}, "'text' must hold texts, and holds null"),
        ({"text": ["a"], "flag": [1]}, "'flag' must hold booleans, and holds a number"),
        ({"text": ["a"], "flag": ["t"]}, "'flag' must hold booleans, and holds a text"),
    ],
)
def test_texts_and_booleans_are_made_of_nothing_else(ask, publish, inputs, sentence):
    publish("texts", texts_and_flags())
    assert sentence in error_of(ask({"inputs": inputs, "model": "texts"}))


def test_too_many_pixels_for_a_model_of_free_size_are_refused(config, publish):
    """A picture of so many pixels is refused too, because a run of it is long."""
    config = dataclasses.replace(config, max_body_bytes=10_000_000)
    client = LocalClient(create_app(create_services(config), config))
    publish("free", total("n", "h", "w", 1), channels=1)
    for height, status in ((1024, 200), (1025, 400)):
        body = {"inputs": {"x": [[[[1]] * 1024] * height]}, "model": "free"}
        reply = client.simulate_post("/predict/json", body=json.dumps(body))
        assert reply.status_code == status
    assert "pixels are more than 1048576" in error_of(reply)


def test_a_model_without_inputs_is_asked_without_any(ask, publish):
    constant = onnx_of(
        [("Identity", ["seven"], ["y"], {})],
        [],
        [("y", 1, ())],
        seven=np.array(7, np.float32),
    )
    publish("seven", constant)
    assert ask({"inputs": {}, "model": "seven"}).json == {"outputs": {"y": 7}}


def test_a_zero_inside_a_text_is_kept(ask, publish):
    publish("texts", identity(STRING, "n"))
    reply = ask({"inputs": {"x": ["a\0b"]}, "model": "texts"})
    assert reply.json == {"outputs": {"y": ["a\0b"]}}


# -- the body -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"model": "rows"}, "send 'values'"),
        ({"model": "rows", "values": None, "inputs": None}, "send 'values'"),
        ({"model": "rows", "values": [1], "inputs": {}}, "and not both"),
        (
            {"model": "rows", "keys": ["a"], "inputs": {"x": [[1, 2, 3]]}},
            "'keys' name the values of rows",
        ),
        ({"model": "rows", "values": [1], "vales": [1]}, "unknown key 'vales'"),
        ({"model": "", "values": [1, 2, 3]}, "the field 'model' is empty"),
        ({"model": 3, "values": [1, 2, 3]}, "'model' must be a text"),
        (
            {"model": "rows", "values": [1, 2, 3], "version": "1"},
            "'version' must be a whole number",
        ),
        (
            {"model": "rows", "values": [1, 2, 3], "version": True},
            "'version' must be a whole number",
        ),
        (
            {"model": "rows", "values": [1, 2, 3], "version": 1.0},
            "'version' must be a whole number",
        ),
        ({"model": "rows", "values": [1, 2, 3], "version": -1}, "'version' is '-1'"),
        ({"model": "rows", "values": [1, 2, 3], "label": 1}, "'label' must be a text"),
        (b"", "the request has no body"),
        (b"{", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"\xef\xbb\xbf{}", "the body is not JSON"),
        (b'{"values": [1e999]}', "the body is not JSON"),
        (b'{"values": [NaN]}', "the body is not JSON"),
        (b'{"values": [1' + b"0" * 400 + b"]}", "the body is not JSON"),
        (b'{"model": "\\ud800"}', "the body is not JSON"),
        (b"[" * 50_000, "the body is not JSON"),
        (b'{"inputs":' + b'{"x":' * 15_000, "the body is not JSON"),
        (b"[]", "the body must be one JSON object"),
        (b"null", "the body must be one JSON object"),
        (b'"values"', "the body must be one JSON object"),
    ],
)
def test_a_body_that_is_no_request_is_told_so(ask, publish, body, sentence):
    publish("rows", identity())
    assert sentence in error_of(ask(body))


@pytest.mark.parametrize("depth", [33, 64, 1000])
def test_deep_nesting_is_a_bad_request(ask, publish, depth):
    publish("rows", identity())
    deep = "[" * depth + "1" + "]" * depth
    for body in (
        f'{{"values": {deep}, "model": "rows"}}',
        f'{{"inputs": {{"x": {deep}}}, "model": "rows"}}',
    ):
        assert "nested more than 32 deep" in error_of(ask(body))


def test_a_body_above_the_limit_is_too_large(ask, config):
    body = b" " * (config.max_body_bytes + 1)
    assert "larger than 100000 bytes" in error_of(ask(body), 413)


def test_an_unknown_model_is_not_found(ask):
    assert "no model 'x'" in error_of(ask({"values": [1], "model": "x"}), 404)
