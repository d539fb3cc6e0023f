"""The service runs over a real store, with models small enough to compute by hand."""

import dataclasses
import hashlib
import io
import json
import os
import tarfile
import unittest.mock
from pathlib import Path

import falcon
import numpy as np
import onnxruntime
import pytest
from falcon.testing import create_environ
from onnx import TensorProto, helper, numpy_helper

import runtime.app
from bundle.store import ModelStore
from runtime.app import get_app
from runtime.backends.onnx import CUDA
from runtime.config import Config, ConfigError
from runtime.errors import ProviderError
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import HERE, LocalClient
from tests.examples import WEIGHTS, linear_onnx, serialize, tar_of, write_bundle
from tests.forms import form, png
from tests.replies import error_of

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture
def archive(tmp_path):
    return tar_of(write_bundle(tmp_path / "upload"))


def upload(client, archive):
    return client.simulate_post(
        "/upload",
        body=archive,
        headers={
            "Content-Encoding": "gzip",
            "Content-Type": "application/octet-stream",
        },
    )


def predict(client, image, model="linear", path="/predict/image"):
    body, headers = form(image=image, model=model)
    return client.simulate_post(path, body=body, headers=headers)


def test_an_upload_answers_what_it_became(client, archive):
    reply = upload(client, archive)
    assert reply.status == falcon.HTTP_200
    assert reply.json == {
        "name": "linear",
        "version": 1,
        "backend": CPU,
        "fallback_reason": "",
        "warm_up": "",
        "serves": 1,
    }


def test_a_tar_that_is_not_gzipped_is_taken(client, tmp_path):
    plain = tar_of(write_bundle(tmp_path / "upload"), mode="w")
    reply = client.simulate_post("/upload", body=plain)
    assert reply.json["version"] == 1


def test_the_name_is_that_of_params_json(client, tmp_path):
    """The archive is a version's folder of a store, whose name is a number."""
    reply = upload(client, tar_of(write_bundle(tmp_path / "upload"), top="3"))
    assert reply.json["name"] == "linear"


@pytest.mark.parametrize("path", ["/predict/image", "/image"])
def test_an_image_is_answered_with_an_array(client, archive, path):
    upload(client, archive)
    reply = predict(client, png([[10, 20], [30, 40]]), path=path)
    assert reply.status == falcon.HTTP_200
    assert reply.json == [10, 20, 70]
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Model-Backend"] == CPU
    assert reply.headers["X-Model-Version"] == "1"


def test_the_order_of_the_fields_does_not_matter(client, archive):
    upload(client, archive)
    body, headers = form(model="linear", image=png([[1, 2], [3, 4]]))
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert reply.json == [1, 2, 7]


def test_a_second_bundle_serves_on_the_next_request(client, archive, tmp_path):
    upload(client, archive)
    predict(client, png([[1, 2], [3, 4]]))
    second = write_bundle(tmp_path / "second", onnx_bytes=linear_onnx(WEIGHTS * 2))
    assert upload(client, tar_of(second)).json["version"] == 2
    reply = predict(client, png([[1, 2], [3, 4]]))
    assert reply.json == [2, 4, 14]
    assert reply.headers["X-Model-Version"] == "2"


def test_another_process_serves_the_second_bundle_too(client, config, archive):
    """Two services over one store share nothing but the disk."""
    other = LocalClient(create_app(create_services(config), config))
    upload(client, archive)
    assert predict(other, png([[1, 2], [3, 4]])).headers["X-Model-Version"] == "1"
    upload(client, archive)
    assert predict(other, png([[1, 2], [3, 4]])).headers["X-Model-Version"] == "2"


def test_models_are_listed_as_params_with_how_they_are_served(client, archive):
    assert client.simulate_get("/models").json == []
    upload(client, archive)
    (model,) = client.simulate_get("/models").json
    assert model.pop("timestamp").endswith("+00:00")
    assert model.pop("watching")["parity"]["state"] == "off"
    assert model.pop("batching").startswith("by turns: an item takes ")
    assert model == {
        "name": "linear",
        "model": "saved_model.pb",
        "labels": "labels.txt",
        "op": "",
        "input_name": "",
        "output_name": "",
        "img_channels": 1,
        "options": [],
        "input_node": "",
        "output_node": "",
        "description": "",
        "classes": ["zero", "one", "two"],
        "version": 1,
        "versions": [1],
        "serves": 1,
        "version_labels": {},
        "loaded": 1,
        "backend": "onnxruntime",
        "device": "CPUExecutionProvider",
        "proved": True,
        "sample": None,
        "fallback_reason": "",
        "warm_up": "",
        "variant": "fp32",
        "variant_reason": "",
        "error": None,
    }


def test_one_broken_bundle_does_not_hide_the_others(client, archive, config):
    """In TFaaS the whole list fails."""
    upload(client, archive)
    broken = config.model_dir / "broken"
    broken.mkdir()
    (broken / "params.json").write_text("{")
    listed = {model["name"]: model for model in client.simulate_get("/models").json}
    assert "params.json is not JSON" in listed["broken"]["error"]
    assert listed["linear"]["version"] == 1


def test_params_are_answered_as_they_are_stored(client, tmp_path):
    folder = write_bundle(tmp_path / "upload", params={"author": "me", "op": ""})
    upload(client, tar_of(folder))
    stored = json.loads((folder / "params.json").read_bytes())
    assert client.simulate_get("/params/linear").json == stored


@pytest.mark.parametrize("how", ["path", "form"])
def test_a_deleted_model_is_gone(client, archive, how):
    upload(client, archive)
    if how == "path":
        reply = client.simulate_delete("/delete/linear")
    else:
        body, headers = form(model="linear")
        reply = client.simulate_delete("/delete", body=body, headers=headers)
    assert reply.json == {"deleted": "linear"}
    assert client.simulate_get("/models").json == []
    assert predict(client, png([[1, 2], [3, 4]])).status == falcon.HTTP_404


def test_base_prefixes_every_route(config, archive):
    config = Config(model_dir=config.model_dir, provider="cpu", base="/tfaas")
    client = LocalClient(create_app(create_services(config), config))
    assert client.simulate_get("/models").status == falcon.HTTP_404
    assert client.simulate_get("/tfaas/models").json == []
    assert client.simulate_get("/tfaas/docs").status == falcon.HTTP_200


# -- what is refused ------------------------------------------------------------------


def test_what_is_no_image_is_told_so(client, archive):
    upload(client, archive)
    assert error_of(predict(client, b"hello"), 400).startswith("Invalid image")


@pytest.mark.parametrize("name", ["nosuch", "../models", "", ".staging", "a/b", "é"])
def test_an_unknown_model_is_not_found(client, archive, name):
    upload(client, archive)
    reply = predict(client, png([[1, 2], [3, 4]]), model=name)
    status, sentence = (404, "no model") if name else (400, "'model' is empty")
    assert sentence in error_of(reply, status)


def test_a_missing_image_is_named(client, archive):
    upload(client, archive)
    body, headers = form(model="linear")
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert "the field 'image' is missing" in error_of(reply, 400)


def test_a_field_sent_twice_is_named(client):
    body, headers = form(image=b"x", model="linear")
    once, end = body.rsplit(b"------------------------------curlcurlcurl--", 1)
    twice = once + once + b"------------------------------curlcurlcurl--" + end
    reply = client.simulate_post("/predict/image", body=twice, headers=headers)
    assert "'model' is there twice" in error_of(reply, 400)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_another_content_type_is_told_what_to_send(client, kind):
    reply = client.simulate_post(
        "/predict/image", body=b"{}", headers={"Content-Type": kind}
    )
    assert "multipart/form-data" in error_of(reply, 415)


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n", b"--x--\r\n", b"\x00" * 50]
)
def test_a_broken_form_is_a_bad_request(client, body):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    error_of(client.simulate_post("/predict/image", body=body, headers=headers), 400)


def test_a_form_without_a_boundary_is_a_bad_request(client):
    headers = {"Content-Type": "multipart/form-data"}
    reply = client.simulate_post("/predict/image", body=b"x", headers=headers)
    error_of(reply, 400)


def test_a_body_above_the_limit_is_too_large(client, config):
    reply = predict(client, b"x" * (config.max_body_bytes + 1))
    assert "larger than 100000 bytes" in error_of(reply, 413)


def test_a_model_that_takes_no_images_says_so(client, tmp_path):
    folder = write_bundle(tmp_path / "upload", params={"img_channels": 0})
    upload(client, tar_of(folder))
    reply = predict(client, png([[1, 2], [3, 4]]))
    assert "takes no images" in error_of(reply, 400)


def test_a_bundle_of_another_number_of_channels_is_refused(client, tmp_path):
    folder = write_bundle(tmp_path / "upload", params={"img_channels": 3})
    reply = upload(client, tar_of(folder))
    assert "'img_channels' is 3, and the model takes 1" in error_of(reply, 422)


def test_an_answer_that_json_cannot_say_is_an_error(client, tmp_path):
    """3e38 times 10 is more than float32 can hold."""
    huge = linear_onnx(WEIGHTS * 3e38)
    folder = write_bundle(tmp_path / "upload", onnx_bytes=huge)
    upload(client, tar_of(folder))
    reply = predict(client, png([[10, 0], [0, 0]]))
    assert "NaN or infinity" in error_of(reply, 500)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_is_told_so(client, method):
    reply = client.simulate_request(method, "/predict/image")
    sentence = f"this route takes POST, OPTIONS, and not {method}"
    assert error_of(reply, 405) == sentence
    assert "POST" in reply.headers["Allow"]


@pytest.mark.parametrize("path", ["/nosuch", "/data", "/predict/x", "/models/x/1/y"])
def test_an_unknown_route_is_told_so(client, path):
    assert "no such route" in error_of(client.simulate_get(path), 404)


def test_params_and_delete_of_an_unknown_model_are_not_found(client):
    assert "no model" in error_of(client.simulate_get("/params/nosuch"), 404)
    assert "no model" in error_of(client.simulate_delete("/delete/nosuch"), 404)


@pytest.mark.parametrize("with_form", [True, False])
def test_a_delete_without_a_name_is_a_bad_request(client, with_form):
    body, headers = form(other="x") if with_form else (b"", {})
    reply = client.simulate_delete("/delete", body=body, headers=headers)
    assert "model" in error_of(reply, 400)


# -- uploads that are refused leave nothing behind ------------------------------------


def no_params(folder):
    (folder / "params.json").unlink()
    (folder / "model.onnx").unlink()


def no_model(folder):
    (folder / "model.onnx").unlink()


def junk_model(folder):
    (folder / "model.onnx").write_bytes(b"junk")
    (folder / "parity.json").unlink()


def wrong_labels(folder):
    (folder / "labels.txt").write_text("one\n")


def wrong_manifest(folder):
    digests = {"labels.txt": hashlib.sha256(b"other").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({"sha256": digests}))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (no_params, "params.json is missing"),
        (no_model, "neither saved_model.pb nor model.onnx"),
        (junk_model, "model.onnx is damaged"),
        (wrong_labels, "labels.txt names 1 classes"),
        (wrong_manifest, "labels.txt is not the file that manifest.json lists"),
    ],
)
def test_a_bundle_that_is_not_whole_is_refused(
    client, config, tmp_path, damage, sentence
):
    folder = write_bundle(tmp_path / "upload")
    damage(folder)
    assert sentence in error_of(upload(client, tar_of(folder)), 422)
    assert list(config.model_dir.iterdir()) == []


def member(name, **attributes):
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (member("linear/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a link"),
        (member("linear/x", type=tarfile.LNKTYPE, linkname="linear/y"), "a link"),
        (member("/etc/x"), "an absolute name"),
        (member("linear/../../x"), "not taken"),
        (member("other/x"), "several top folders"),
    ],
)
def test_an_archive_with_what_is_not_taken_is_refused(
    client, config, tmp_path, extra, sentence
):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        tar.add(write_bundle(tmp_path / "upload"), arcname="linear")
        tar.addfile(extra)
    assert sentence in error_of(upload(client, target.getvalue()), 400)
    assert list(config.model_dir.iterdir()) == []


def test_a_refused_upload_leaves_the_old_version_serving(client, archive):
    upload(client, archive)
    error_of(upload(client, archive[:100]), 400)
    assert predict(client, png([[1, 2], [3, 4]])).json == [1, 2, 7]


def test_a_bomb_is_refused(client, tmp_path):
    folder = write_bundle(tmp_path / "upload")
    (folder / "zeros").write_bytes(bytes(2_000_000))
    reply = upload(client, tar_of(folder))
    assert "more than 1000000 bytes" in error_of(reply, 413)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, base64"])
def test_another_encoding_is_not_taken(client, archive, encoding):
    reply = client.simulate_post(
        "/upload", body=archive, headers={"Content-Encoding": encoding}
    )
    assert encoding in error_of(reply, 415)


def test_no_reply_names_a_folder_of_the_server(client, config, archive, tmp_path):
    upload(client, archive)
    (config.model_dir / "linear" / "1" / "model.onnx").write_bytes(b"junk")
    other = LocalClient(create_app(create_services(config), config))
    replies = [
        predict(other, png([[1, 2], [3, 4]])),
        upload(client, b"junk"),
        client.simulate_get("/params/x"),
        client.simulate_get("/models"),
    ]
    for reply in replies:
        assert str(tmp_path) not in reply.text
        assert "models/" not in reply.text
        assert "Traceback" not in reply.text


def test_an_unwritable_store_is_the_servers_fault(tmp_path, archive):
    config = Config(model_dir=tmp_path / "models", provider="cpu")
    client = LocalClient(create_app(create_services(config), config))
    config.model_dir.write_text("a file where the store was")
    error = error_of(upload(client, archive), 500)
    assert "the store cannot be written" in error
    assert "the store cannot be read" in error_of(client.simulate_get("/models"), 500)


def test_a_bug_is_a_500_without_its_traceback(config, monkeypatch):
    client = LocalClient(create_app(create_services(config), config))
    monkeypatch.setattr(ModelStore, "names", lambda self: 1 / 0)
    reply = client.simulate_get("/models")
    assert "its log says why" in error_of(reply, 500)


# -- starting -------------------------------------------------------------------------


def test_a_store_that_is_a_file_is_told_at_the_start(tmp_path):
    (tmp_path / "models").touch()
    with pytest.raises(ConfigError, match="'modelDir' is .*, which is not a folder"):
        create_services(Config(model_dir=tmp_path / "models"))


def test_what_a_crash_left_is_swept_at_the_start(config):
    left = config.model_dir / ".staging" / ("0" * 32) / "new"
    buried = config.model_dir / ".trash" / ("4" * 32)
    left.mkdir(parents=True)
    buried.mkdir(parents=True)
    create_services(config)
    assert list(config.model_dir.iterdir()) == []


def test_a_log_that_cannot_be_written_is_told_at_the_start(tmp_path):
    config = Config(model_dir=tmp_path, log_file=str(tmp_path / "no" / "log"))
    with pytest.raises(ConfigError, match="'logFile' is .*: No such file"):
        get_app(config)


@pytest.mark.skipif(
    CUDA in onnxruntime.get_available_providers(), reason="built with CUDA"
)
def test_cuda_that_is_demanded_and_not_there_is_told_at_the_start(tmp_path):
    with pytest.raises(ProviderError, match="built without CUDA"):
        create_services(Config(model_dir=tmp_path, provider="cuda"))


def test_a_server_that_answers_no_grpc_says_so():
    assert list(runtime.app._without_grpc(Config())) == []
    (doubt,) = runtime.app._without_grpc(Config(grpc_port=8001))
    assert "'grpcPort' has no effect here: only `runtime serve`" in doubt


def test_a_server_that_speaks_no_tls_does_not_answer_in_clear_text(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"serverKey": "k", "serverCrt": "c"}')
    with pytest.raises(SystemExit, match="only `runtime serve` speaks TLS"):
        runtime.app.app  # noqa: B018


# -- small courtesies -----------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/models", "/params/linear"])
def test_head_answers_as_get_without_its_body(client, archive, path):
    upload(client, archive)
    reply = client.simulate_head(path)
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("path", ["/models/", "/params/linear/"])
def test_a_trailing_slash_does_not_matter(client, archive, path):
    upload(client, archive)
    assert client.simulate_get(path).status_code == 200


def test_a_reply_ends_its_line(client):
    assert client.simulate_get("/models").text == "[]\n"


def test_a_body_of_unknown_length_is_read_to_its_end(client, archive):
    """Servers other than waitress give a chunked body so: without Content-Length."""
    environ = create_environ("/upload", method="POST", **HERE)
    environ.pop("CONTENT_LENGTH", None)
    environ["wsgi.input"] = io.BytesIO(archive)
    started = []
    body = client.app(environ, lambda status, headers: started.append(status))
    assert started == [falcon.HTTP_200]
    assert json.loads(b"".join(body))["version"] == 1


def test_a_model_deleted_by_a_request_is_not_in_memory(config, archive):
    services = create_services(config)
    client = LocalClient(create_app(services, config))
    upload(client, archive)
    assert services.registry.peek("linear", 1)
    client.simulate_delete("/delete/linear")
    assert services.registry.peek("linear", 1) is None


def test_an_upload_that_is_deleted_at_once_was_an_upload(config, archive, monkeypatch):
    services = create_services(config)
    client = LocalClient(create_app(services, config))
    get = services.registry.get

    def delete_first(spec):
        services.store.delete(spec.name)
        return get(spec)

    monkeypatch.setattr(services.registry, "get", delete_first)
    assert upload(client, archive).json["version"] == 1


def test_a_folder_that_cannot_be_read_hides_no_other(client, config, archive):
    """root reads everything, so this test itself makes the refusal."""
    upload(client, archive)
    closed = config.model_dir / "closed"
    closed.mkdir()
    scandir = os.scandir

    def deny(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with unittest.mock.patch("os.scandir", deny):
        listed = {m["name"]: m for m in client.simulate_get("/models").json}
    assert listed["linear"]["version"] == 1
    assert listed["closed"]["error"] == "the store cannot be read: Permission denied"


def test_a_bundle_with_a_key_of_ours_is_not_taken_for_broken(client, tmp_path):
    folder = write_bundle(tmp_path / "upload", params={"error": "bars"})
    upload(client, tar_of(folder))
    (model,) = client.simulate_get("/models").json
    assert (model["backend"], model["error"]) == ("onnxruntime", None)


def test_a_model_that_cannot_be_loaded_is_shown_as_broken(client, config, archive):
    upload(client, archive)
    version = config.model_dir / "linear" / "1"
    (version / "model.onnx").write_bytes(b"junk")
    # The model in memory goes on, but a service that starts now has nothing else.
    assert predict(client, png([[1, 2], [3, 4]])).json == [1, 2, 7]
    client = LocalClient(create_app(create_services(config), config))
    error_of(predict(client, png([[1, 2], [3, 4]])), 500)
    (model,) = client.simulate_get("/models").json
    assert "cannot be loaded" in model["error"]


def test_a_field_whose_name_is_no_text_is_none_that_is_asked_for(client):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\n1\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert "'image' is missing" in error_of(reply, 400)


def test_a_media_type_is_the_same_in_any_spelling(client, archive):
    upload(client, archive)
    body, headers = form(image=png([[1, 2], [3, 4]]), model="linear")
    headers = {"Content-Type": headers["Content-Type"].replace("multi", "Multi")}
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert reply.json == [1, 2, 7]


def free_size_onnx():
    """Return a model: a 3 x 3 convolution over any picture, and the mean of that."""
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["pixels"], ["nchw"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["nchw", "kernel"], ["maps"]),
            helper.make_node("GlobalAveragePool", ["maps"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["scores"]),
        ],
        "free",
        [
            helper.make_tensor_value_info(
                "pixels", TensorProto.FLOAT, ["n", "h", "w", 1]
            )
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.ones((3, 1, 3, 3), np.float32), "kernel")],
    )
    return serialize(graph)


def test_a_model_of_free_size_answers_by_the_pictures_own(client, tmp_path):
    upload(client, tar_of(write_bundle(tmp_path / "u", onnx_bytes=free_size_onnx())))
    # The picture is nine ones, and the kernel is nine ones.
    assert predict(client, png([[1] * 3] * 3)).json == [9, 9, 9]


@pytest.mark.parametrize(
    ("side", "sentence"), [(2, "an image of 2 x 2 pixels"), (1025, "1050625 pixels")]
)
def test_a_picture_beyond_a_free_size_is_a_bad_request(
    client, tmp_path, side, sentence
):
    upload(client, tar_of(write_bundle(tmp_path / "u", onnx_bytes=free_size_onnx())))
    reply = predict(client, png([[1] * side] * side))
    sentence = sentence.replace("1050625", "1025 x 1025")
    assert sentence in error_of(reply, 400)


def test_a_share_of_the_requests_goes_to_the_canary(config, archive):
    config = dataclasses.replace(config, traffic={"canary": 100.0})
    services = create_services(config)
    client = LocalClient(create_app(services, config))
    upload(client, archive)
    upload(client, archive)
    image = png([[1, 2], [3, 4]])
    assert predict(client, image).headers["X-Model-Version"] == "2"
    services.store.set_label("linear", "canary", 1)
    assert predict(client, image).headers["X-Model-Version"] == "1"


def test_a_service_is_not_ready_before_its_models_are(config, archive):
    config = dataclasses.replace(config, preload=("linear",))
    services = create_services(config)
    (reason,) = services.preloader.missing()
    assert "'linear'" in reason
