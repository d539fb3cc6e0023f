"""GET /models/{name}/{version}/report sends a page that may do nothing."""

import pytest

from tests.examples import tar_of, write_bundle
from tests.replies import error_of

PAGE = "<!doctype html><h1>手</h1><script>alert(1)</script>".encode()
PATH = "/models/linear/1/report"


@pytest.fixture
def published(client, tmp_path):
    folder = write_bundle(tmp_path / "upload")
    (folder / "report").mkdir()
    (folder / "report" / "report.html").write_bytes(PAGE)
    (folder / "report" / "metrics.json").write_text("{}")
    assert client.simulate_post("/upload", body=tar_of(folder)).status_code == 200


@pytest.mark.usefixtures("published")
def test_the_page_of_an_upload_is_sent_as_a_page(client):
    reply = client.simulate_get(PATH)
    assert (reply.status_code, reply.content) == (200, PAGE)
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.headers["Content-Length"] == str(len(PAGE))
    assert reply.headers["X-Model-Version"] == "1"


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_strangers_page_runs_nothing_and_loads_nothing(client, method):
    reply = client.simulate_request(method, PATH)
    policy = {
        name: values
        for name, *values in map(
            str.split, reply.headers["Content-Security-Policy"].split(";")
        )
    }
    assert policy == {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "style-src": ["'unsafe-inline'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        # It allows nothing: no script, no form, no origin of this site.
        "sandbox": [],
    }
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.usefixtures("published")
def test_head_answers_without_the_page(client):
    reply = client.simulate_head(PATH)
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["Content-Length"] == str(len(PAGE))


@pytest.mark.usefixtures("published")
def test_the_figures_are_downloaded(client):
    reply = client.simulate_get("/download/linear/report/metrics.json")
    assert (reply.status_code, reply.text) == (200, "{}")


@pytest.mark.usefixtures("published")
def test_a_change_of_params_keeps_the_report(client):
    changed = {"name": "linear", "description": "second"}
    assert client.simulate_post("/params", json=changed).status_code == 200
    assert client.simulate_get("/models/linear/2/report").content == PAGE


def test_a_version_without_a_report_is_a_sentence(client, tmp_path):
    client.simulate_post("/upload", body=tar_of(write_bundle(tmp_path / "upload")))
    sentence = error_of(client.simulate_get(PATH), 404)
    assert "version 1 of 'linear' has no report" in sentence


@pytest.mark.usefixtures("published")
def test_a_version_that_is_not_there_is_a_sentence(client):
    assert "no version 7" in error_of(
        client.simulate_get("/models/linear/7/report"), 404
    )


@pytest.mark.usefixtures("published")
def test_a_page_that_is_a_link_is_not_followed(client, config, tmp_path):
    page = config.model_dir / "linear" / "1" / "report" / "report.html"
    page.unlink()
    (tmp_path / "secret").write_text("secret")
    page.symlink_to(tmp_path / "secret")
    error_of(client.simulate_get(PATH), 404)
