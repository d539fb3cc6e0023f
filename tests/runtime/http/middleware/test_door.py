"""The whole application's door decides on a request's head."""

import pytest
from falcon.testing import create_environ

from runtime.access.tokens import digest_of
from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import HERE

BEARER = {"Authorization": "Bearer w"}
PATHS = (
    *("/predict", "/predict/image", "/image", "/predict/json", "/json"),
    *("/predict/proto", "/proto", "/upload", "/params"),
    *("/v2/models/m/infer", "/v2/models/m/versions/1/infer"),
)


def door_of(tmp_path, **settings):
    config = Config(model_dir=tmp_path, provider="cpu", **settings)
    return create_app(create_services(config), config).door


def environ(path, method="POST", headers=None, **more):
    made = create_environ(path, method=method, headers=headers, **{**HERE, **more})
    del made["wsgi.input"]  # the door reads no body, and no server has one yet
    return made


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("base", ["", "/base"])
def test_what_a_route_takes_is_waited_for(tmp_path, path, base):
    door = door_of(tmp_path, base=base)
    assert door.takes_body(environ(base + path))
    assert door.takes_body(environ(f"{base}{path}/"))
    assert not door.takes_body(environ(f"/other{path}"))


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/nosuch", "POST"),
        ("/predict/imagex", "POST"),
        ("/predict", "PUT"),
        ("/v2/models/m/infer", "PUT"),
        ("/v2/models/m/n/infer", "POST"),
        ("/predict", "GET"),
        ("/predict", "PROPFIND"),
        ("/livez", "POST"),
        ("/models", "GET"),
        ("/download/a/b", "POST"),
        ("/\xff", "POST"),
    ],
)
def test_what_no_route_takes_is_not(tmp_path, path, method):
    asked = environ("/x", "POST")
    asked["PATH_INFO"], asked["REQUEST_METHOD"] = path, method
    assert not door_of(tmp_path).takes_body(asked)


@pytest.mark.parametrize("path", PATHS)
def test_a_token_is_asked_for_before_the_body(tmp_path, path):
    door = door_of(
        tmp_path, write_tokens=(digest_of("w"),), predict_tokens=(digest_of("p"),)
    )
    assert not door.takes_body(environ(path))
    assert not door.takes_body(environ(path, headers={"Authorization": "Bearer x"}))
    assert door.takes_body(environ(path, headers=BEARER))


def test_without_tokens_nobody_elses_upload_is_waited_for(tmp_path):
    door = door_of(tmp_path)
    assert not door.takes_body(environ("/upload", remote_addr="192.0.2.1"))
    assert door.takes_body(environ("/predict", remote_addr="192.0.2.1"))


def test_one_too_many_is_not_waited_for_and_counted_once(tmp_path):
    door = door_of(tmp_path, rate="2-H")
    asked = environ("/predict")
    assert [door.takes_body(asked) for _ in range(5)] == [True] * 5
    assert door.takes_body(environ("/predict"))
    assert not door.takes_body(environ("/predict"))
    assert door.takes_body(environ("/predict", remote_addr="192.0.2.1"))


def test_a_client_is_who_a_trusted_proxy_says(tmp_path):
    door = door_of(tmp_path, trusted_proxies=("127.0.0.1/32",))
    given = {"X-Forwarded-For": "2001:db8::1"}
    assert door.client_of(environ("/predict", headers=given)) == "2001:db8::/64"
    far = environ("/predict", headers=given, remote_addr="192.0.2.1")
    assert door.client_of(far) == "192.0.2.1"
