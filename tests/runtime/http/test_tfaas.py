"""Requests of TFaaS's documents and clients are answered as TFaaS answers them."""

import json
import os

import pytest
from prometheus_client import REGISTRY

from tests.bundle.making import bundle_files, member, read_files, tar_of, write_files
from tests.examples import linear_onnx
from tests.forms import File, form, png
from tests.replies import error_of
from tests.runtime.graphs import identity
from tests.runtime.http.resources.test_predict_proto import classes, row

CPU = "onnxruntime/CPUExecutionProvider"
PIXELS = [[10, 20], [30, 40]]


def upload(client, files, query="", top="linear"):
    """Send an archive of some files, as ``tar cfz`` and ``curl`` do."""
    prefix = f"{top}/" if top else "./"
    archive = tar_of(
        [member(f"{prefix}{name}", files[name]) for name in files], gz=True
    )
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/octet-stream"}
    return client.simulate_post(
        "/upload", body=archive, headers=headers, query_string=query
    )


def rows(client, **body):
    return client.simulate_post("/json", body=json.dumps(body))


# -- models without params.json -------------------------------------------------------


@pytest.mark.parametrize(
    ("top", "query", "name"),
    [
        ("digits", "", "digits"),
        ("digits", "name=mine", "mine"),
        ("digits/3", "", "digits"),
        ("", "name=mine", "mine"),
        ("1", "name=mine", "mine"),
    ],
)
def test_a_model_without_params_is_named_after_its_folder(client, top, query, name):
    reply = upload(client, {"model.onnx": linear_onnx()}, query, top)
    assert (reply.status_code, reply.json["name"]) == (200, name)
    assert reply.json["backend"] == CPU
    answer = rows(client, values=[10, 20, 30, 40], model=name)
    assert answer.json == [10, 20, 70]
    answer = rows(client, inputs={"pixels": [[[[1]] * 2] * 2]}, model=name)
    assert answer.json == {"outputs": {"scores": [[1, 1, 2]]}}
    assert client.simulate_get(f"/params/{name}").json == {"name": name}


def test_an_image_asks_a_model_without_params_for_its_channels(client):
    upload(client, {"model.onnx": linear_onnx()})
    body, headers = form(image=png(PIXELS), model="linear")
    reply = client.simulate_post("/image", body=body, headers=headers)
    assert "img_channels" in error_of(reply)
    change = {"name": "linear", "img_channels": 1}
    client.simulate_post("/params", body=json.dumps(change))
    reply = client.simulate_post("/image", body=body, headers=headers)
    assert reply.json == [10, 20, 70]


def test_a_form_without_params_is_named_by_its_name(client):
    fields = {"name": "digits", "model": File("model.onnx", linear_onnx())}
    body, headers = form(**fields)
    reply = client.simulate_post("/upload", body=body, headers=headers)
    assert (reply.status_code, reply.json["name"]) == (200, "digits")


@pytest.mark.parametrize("folder", ["linear", "linear/1"])
def test_a_model_that_lies_in_the_store_is_served_as_it_is(client, config, folder):
    write_files(config.model_dir / folder, {"model.onnx": linear_onnx()})
    assert [model["name"] for model in client.simulate_get("/models").json] == [
        "linear"
    ]
    assert rows(client, values=[10, 20, 30, 40], model="linear").json == [10, 20, 70]
    assert read_files(config.model_dir / folder).keys() == {"model.onnx"}


@pytest.mark.parametrize("folder", ["linear", "linear/1", "linear/1/model.savedmodel"])
def test_a_model_that_lies_in_the_store_may_get_params(client, config, folder):
    write_files(config.model_dir / folder, {"model.onnx": linear_onnx()})
    reply = change(client, name="linear", img_channels=1, description="pixels")
    assert reply.status_code == 200, reply.text
    body, headers = form(image=png(PIXELS), model="linear")
    reply = client.simulate_post("/image", body=body, headers=headers)
    assert reply.json == [10, 20, 70]
    assert client.simulate_get("/params/linear").json == {
        "name": "linear",
        "img_channels": 1,
        "description": "pixels",
    }


@pytest.mark.parametrize(
    ("top", "query", "status", "sentence"),
    [
        ("", "", 400, "/upload?name=NAME"),
        ("7", "", 400, "nothing names the model"),
        ("model.savedmodel", "", 400, "nothing names the model"),
        ("my model", "", 422, "the archive names the model 'my model'"),
        ("m", "name=a/b", 422, "the query names the model 'a/b'"),
        ("m", "name=../x", 422, "the query names the model '../x'"),
        ("m", "name=a&name=b", 400, "the query has 'name' twice"),
    ],
)
def test_a_model_that_nothing_names_is_refused(
    client, config, top, query, status, sentence
):
    reply = upload(client, {"model.onnx": linear_onnx()}, query, top)
    assert sentence in error_of(reply, status)
    assert not read_files(config.model_dir)


def test_a_bundle_without_a_top_folder_is_named_by_params(client):
    """MLaaS4HEP's server packs its bundles so: ``tar -C DIR .``."""
    files = {"params.json": b'{"name": "linear"}', "model.onnx": linear_onnx()}
    assert upload(client, files, top="").json["name"] == "linear"


def test_a_query_that_names_another_model_is_refused(client, config):
    files = {"params.json": b'{"name": "linear"}', "model.onnx": linear_onnx()}
    sentence = error_of(upload(client, files, "name=other"), 409)
    assert "'other'" in sentence
    assert "'linear'" in sentence
    assert not list(config.model_dir.iterdir())
    assert upload(client, files, "name=linear").status_code == 200


def test_a_query_that_names_another_model_than_the_form_is_refused(client, config):
    body, headers = form(name="digits", model=File("model.onnx", linear_onnx()))
    send = {"body": body, "headers": headers}
    reply = client.simulate_post("/upload", query_string="name=other", **send)
    assert "names the model 'other', and the bundle itself 'digits'" in error_of(
        reply, 409
    )
    assert not read_files(config.model_dir)
    reply = client.simulate_post("/upload", query_string="name=digits", **send)
    assert reply.status_code == 200


def test_a_broken_saved_model_without_params_is_told_of_its_weights(client):
    files = {"saved_model.pb": b"\x12\x0bVarHandleOp"}
    assert "variables.index is missing" in error_of(upload(client, files), 422)


def test_files_of_no_model_are_told_of_params(client):
    files = {"labels.txt": bundle_files()["labels.txt"]}
    assert "params.json is missing" in error_of(upload(client, files), 422)


# -- the model of a request -----------------------------------------------------------


def test_a_row_may_say_name_in_place_of_model(client, publish):
    publish("rows", identity())
    publish("other", identity())
    assert rows(client, values=[1, 2, 3], name="rows").json == [1, 2, 3]
    assert rows(client, values=[1, 2, 3], name="rows", model="rows").json == [1, 2, 3]
    reply = rows(client, values=[1, 2, 3], name="rows", model="other")
    assert "'model' is 'other' and 'name' is 'rows'" in error_of(reply)


def test_a_request_without_a_model_means_the_only_one(client, publish):
    publish("rows", identity())
    assert rows(client, values=[1, 2, 3]).json == [1, 2, 3]
    assert rows(client, values=[1, 2, 3], model=None).json == [1, 2, 3]
    reply = client.simulate_post("/proto", body=row([1, 2, 3], model=""))
    assert reply.content == classes(("0", 1), ("1", 2), ("2", 3))


def test_an_image_without_a_model_means_the_only_one(client, publish):
    publish("linear", channels=1)
    body, headers = form(image=png(PIXELS))
    reply = client.simulate_post("/image", body=body, headers=headers)
    assert reply.json == [10, 20, 70]


def test_a_request_without_a_model_is_told_their_names(client, publish):
    assert "the store has no model" in error_of(rows(client, values=[1, 2, 3]))
    publish("rows", identity())
    publish("other", identity())
    sentence = "the field 'model' is missing; the store has other, rows"
    assert sentence in error_of(rows(client, values=[1, 2, 3]))
    reply = client.simulate_post("/proto", body=row([1, 2, 3], model=""))
    assert sentence in error_of(reply)
    body, headers = form(image=png(PIXELS))
    reply = client.simulate_post("/image", body=body, headers=headers)
    assert sentence in error_of(reply)


def test_a_long_list_of_names_is_cut(client, publish):
    for number in range(21):
        publish(f"rows{number:02}", identity())
    sentence = error_of(rows(client, values=[1, 2, 3]))
    assert sentence.endswith("rows18, rows19 …")


def test_a_key_that_tfaas_does_not_use_is_passed_over(client, publish):
    publish("rows", identity())
    reply = rows(client, values=[1, 2, 3], model="rows", key=["a", "b"])
    assert reply.json == [1, 2, 3]


@pytest.mark.parametrize("path", ["/image", "/predict/image", "/predict"])
def test_the_model_may_stand_in_the_query(client, publish, path):
    publish("linear", channels=1)
    publish("other", channels=1)
    body, headers = form(image=png(PIXELS))
    ask = {"body": body, "headers": headers, "query_string": "model=linear"}
    assert client.simulate_post(path, **ask).json == [10, 20, 70]
    body, headers = form(image=png(PIXELS), model="other")
    ask |= {"body": body, "headers": headers}
    sentence = error_of(client.simulate_post(path, **ask))
    assert "'model' is 'linear' in the query and 'other' in the body" in sentence


# -- params ---------------------------------------------------------------------------

# GET /models of TFaaS has these keys for each model, and no others.
TFAAS_KEYS = {
    "name",
    "model",
    "labels",
    "options",
    "input_name",
    "output_name",
    "input_node",
    "output_node",
    "img_channels",
    "op",
    "description",
    "timestamp",
}


def change(client, **changes):
    return client.simulate_post("/params", body=json.dumps(changes))


@pytest.mark.parametrize("early", [True, False])
def test_nodes_may_have_their_early_names(client, publish, early):
    publish("rows", identity(), **({"inputNode": "x"} if early else {}))
    assert (
        change(client, name="rows", inputNode="a", outputNode="y").json["version"] == 2
    )
    params = client.simulate_get("/params/rows").json
    assert (params["input_node"], params["output_node"]) == ("a", "y")
    assert "inputNode" not in params
    sentence = error_of(change(client, name="rows", inputNode="a", input_node="b"))
    assert "'inputNode' and 'input_node' are one key" in sentence


@pytest.mark.parametrize("path", ["/params/rows", "/models"])
def test_all_keys_may_be_sent_with_one_changed(client, publish, path):
    """TFaaS's clients read a model's params, change one and send them all."""
    publish("rows", identity(), author="me")
    params = client.simulate_get(path).json
    if path == "/models":
        params = {key: params[0][key] for key in TFAAS_KEYS}
    params["description"] = "three numbers"
    assert change(client, **params).json["version"] == 2
    new = client.simulate_get("/params/rows").json
    assert (new["description"], new["author"]) == ("three numbers", "me")
    sentence = error_of(change(client, **{**params, "model": "other.pb"}))
    assert "'model' is no key that can be changed" in sentence


@pytest.mark.parametrize("params", [{"name": "rows"}, None])
def test_a_list_of_models_has_all_of_tfaas_keys(client, config, params):
    files = {"model.onnx": identity()}
    if params:
        files["params.json"] = json.dumps(params).encode()
    write_files(config.model_dir / "rows" / "1", files)
    (model,) = client.simulate_get("/models").json
    assert model.keys() >= TFAAS_KEYS
    values = {key: model[key] for key in TFAAS_KEYS - {"timestamp"}}
    assert values == {
        **dict.fromkeys(TFAAS_KEYS - {"timestamp"}, ""),
        "name": "rows",
        "model": "saved_model.pb",
        "options": [],
        "img_channels": 0,
    }


def test_the_time_of_a_model_stays_when_it_is_converted(client, config):
    upload(client, {"params.json": b'{"name": "rows"}', "model.onnx": identity()})
    folder = config.model_dir / "rows" / "1"
    os.utime(folder / "params.json", (1e9, 1e9))
    (folder / "parity.json").write_bytes(b"{}")
    (model,) = client.simulate_get("/models").json
    # date -u -d @1000000000
    assert model["timestamp"] == "2001-09-09T01:46:40+00:00"
    assert client.simulate_get("/models/rows/1").json["timestamp"] == model["timestamp"]


# -- Triton's description of a model --------------------------------------------------


def described(config, text):
    files = {"config.pbtxt": text.encode(), "1/model.onnx": linear_onnx()}
    write_files(config.model_dir / "linear", files)


WHOLE = """
max_batch_size: 2
input { name: "pixels" data_type: TYPE_FP32 dims: [ 2, 2, 1 ] }
output { name: "scores" data_type: TYPE_FP32 dims: [ 3 ] }
"""


def runs_of(model, sizes):
    """Count the runs of a model with at most so many items each."""
    values = [
        REGISTRY.get_sample_value(
            "tfaas_batch_size_bucket", {"model": model, "le": size}
        )
        for size in sizes
    ]
    return [value or 0 for value in values]


def test_a_model_is_served_as_triton_describes_it(client, config):
    described(config, WHOLE)
    sizes = ("1.0", "2.0", "+Inf")
    before = runs_of("linear", sizes)
    answer = rows(client, values=[[1, 2, 3, 4]] * 5, model="linear").json
    assert answer == [[1, 2, 7]] * 5
    after = runs_of("linear", sizes)
    # Five items are two runs of two items, and one of one.
    assert [a - b for a, b in zip(after, before, strict=True)] == [1, 3, 3]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('input { name: "x" dims: 3 }', "names the input 'x', and the model's inputs"),
        ('output { name: "y" dims: 3 }', "names the output 'y', and the model's"),
        (WHOLE.replace("[ 3 ]", "[ 4 ]"), "'scores' the shape [None, 4]"),
        (WHOLE.replace("2, 2, 1", "2, 2"), "'pixels' the shape [None, 2, 2]"),
        ("input {", "config.pbtxt has '' where"),
    ],
)
def test_a_description_of_another_model_is_told(client, config, text, sentence):
    described(config, text)
    assert sentence in error_of(rows(client, values=[1, 2, 3, 4]), 500)
    (model,) = client.simulate_get("/models").json
    assert sentence in model["error"]
