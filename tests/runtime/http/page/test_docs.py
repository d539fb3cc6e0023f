"""The page at /docs loads its own files alone, and its document is not made twice."""

import gzip
import hashlib
import json
import re
import subprocess
import sys

import pytest

from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.page.docs import VERSION
from runtime.services import create_services
from tests.clients import LocalClient

# The files of swagger-ui-dist 5.35.0, as the npm registry has them.
PUBLISHED = {
    "swagger-ui-bundle.js": (
        "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2"
    ),
    "swagger-ui.css": (
        "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d"
    ),
}


@pytest.fixture
def based(config):
    config = Config(model_dir=config.model_dir, provider="cpu", base="/ml")
    return LocalClient(create_app(create_services(config), config))


def test_the_page_names_only_files_that_are_there_under_the_base(based):
    page = based.simulate_get("/ml/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    named = re.findall(r'(?:src|href|data-url)="([^"]+)"', page.text)
    assert "/ml/openapi.json" in named
    assert len(named) == 5
    for path in named:
        reply = based.simulate_get(path)
        assert (reply.status_code, bool(reply.content)) == (200, True), path


def test_the_page_may_ask_nobody_else(client):
    policy = client.simulate_get("/docs").headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy
    assert rules["frame-ancestors"] == "'none'"
    assert "validatorUrl: null" in client.simulate_get("/docs/start.js").text


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_files_are_those_that_were_published(client, name):
    reply = client.simulate_get(f"/docs/{name}")
    assert hashlib.sha256(reply.content).hexdigest() == PUBLISHED[name]
    packed = client.simulate_get(
        f"/docs/{name}", headers={"Accept-Encoding": "gzip, br"}
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Type"] == reply.headers["Content-Type"]
    assert len(packed.content) < len(reply.content) / 3
    assert gzip.decompress(packed.content) == reply.content
    if name.endswith(".js"):
        assert f'"{VERSION}"'.encode() in reply.content


@pytest.mark.parametrize(
    "path", ["/docs/swagger-ui.css", "/docs/start.js", "/openapi.json"]
)
def test_what_a_browser_has_already_is_not_sent_again(client, path):
    first = client.simulate_get(path)
    mark = first.headers["ETag"]
    again = client.simulate_get(path, headers={"If-None-Match": mark})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == mark
    other = client.simulate_get(path, headers={"If-None-Match": '"other"'})
    assert other.content == first.content


@pytest.mark.parametrize("name", ["nosuch.js", "LICENSE", "docs.py", "..%2fdocs.py"])
def test_other_files_of_the_package_are_not_sent(client, name):
    assert client.simulate_get(f"/docs/{name}").status_code == 404


def test_the_document_is_packed_for_a_client_that_accepts_it(client):
    plain = client.simulate_get("/openapi.json")
    packed = client.simulate_get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert json.loads(gzip.decompress(packed.content)) == plain.json
    assert len(packed.content) < len(plain.content) / 5


def test_the_page_and_the_document_are_open(config):
    digest = hashlib.sha256(b"a" * 32).hexdigest()
    config = Config(
        model_dir=config.model_dir, provider="cpu", predict_tokens=(digest,)
    )
    client = LocalClient(create_app(create_services(config), config))
    assert client.simulate_get("/models").status_code == 401
    for path in ("/docs", "/docs/start.js", "/openapi.json"):
        assert client.simulate_get(path).status_code == 200


@pytest.mark.slow
def test_a_service_that_nobody_asks_for_the_document_does_not_load_its_code():
    code = (
        "import sys, runtime.http.application;"
        "print([name for name in sys.modules if 'openapi.' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
