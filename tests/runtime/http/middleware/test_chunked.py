"""Bodies come without a Content-Length, as a server may give chunked ones."""

import io
import json

import pytest
from falcon.testing import create_environ

from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import HERE
from tests.examples import tar_of, write_bundle
from tests.forms import form, png

IMAGE = png([[1, 2], [3, 4]])


@pytest.fixture
def app(tmp_path):
    # This limit makes the bundle's archive larger than a prediction may be.
    config = Config(
        model_dir=tmp_path / "models",
        provider="cpu",
        max_body_bytes=1000,
        max_upload_bytes=100_000,
    )
    return create_app(create_services(config), config)


def send(app, method, path, body, headers=()):
    environ = create_environ(path, method=method, headers=dict(headers), **HERE)
    environ.pop("CONTENT_LENGTH", None)
    environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    environ["wsgi.input"] = io.BytesIO(body)
    started = []
    reply = b"".join(app(environ, lambda status, _: started.append(int(status[:3]))))
    return started[0], json.loads(reply)


@pytest.fixture
def archive(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    # The text is random enough that gzip does not make it small.
    (folder / "notes.txt").write_text("".join(str(n**7) for n in range(1000)))
    archive = tar_of(folder)
    assert len(archive) > 1000
    return archive


def test_a_form_is_read_to_its_end(app, archive):
    assert send(app, "POST", "/upload", archive)[0] == 200
    body, headers = form(image=IMAGE, model="linear")
    reply = send(app, "POST", "/predict/image", body, headers.items())
    assert reply == (200, [1, 2, 7])
    body, headers = form(model="linear")
    reply = send(app, "DELETE", "/delete", body, headers.items())
    assert reply == (200, {"deleted": "linear"})


def test_a_form_above_its_limit_is_refused_before_it_is_read(app):
    body, headers = form(image=b"x" * 1_000_000, model="linear")
    status, reply = send(app, "POST", "/predict/image", body, headers.items())
    assert (status, reply["error"]) == (413, "the body is larger than 1000 bytes")


def test_an_upload_has_bounds_of_its_own(app, archive, tmp_path):
    assert send(app, "POST", "/upload", archive)[1]["version"] == 1
    (tmp_path / "bundle" / "more").write_bytes(b"\0" * 100_000)
    status, reply = send(app, "POST", "/upload", tar_of(tmp_path / "bundle"))
    assert status == 413
    assert "more than 100000 bytes" in reply["error"]
