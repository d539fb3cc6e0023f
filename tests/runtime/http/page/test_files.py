import io
import os
import re
import socket

import pytest
from PIL import Image

from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.page import netron_package
from runtime.services import create_services
from tests.clients import LocalClient
from tests.examples import linear_onnx, write_bundle


@pytest.fixture
def site(tmp_path):
    """Return a function that makes a client of an app with two versions and static/."""
    for number, name in ((1, "one"), (2, "two")):
        folder = write_bundle(tmp_path / "models" / "linear" / str(number))
        (folder / "labels.txt").write_text(f"{name}\nb\nc\n")
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"\x00index")
    (folder / "report").mkdir()
    (folder / "report" / "page.html").write_text("<script>alert(1)</script>")
    (tmp_path / "secret").write_text("secret")
    for path in ("js/a.js", "css/a.css", "images/deep/a.png"):
        target = tmp_path / "static" / path
        target.parent.mkdir(parents=True)
        target.write_text(path)

    def client(**settings):
        config = Config(
            model_dir=tmp_path / "models",
            static_dir=str(tmp_path / "static"),
            provider="cpu",
            **settings,
        )
        return LocalClient(create_app(create_services(config), config))

    return client


# -- /js, /css, /images ---------------------------------------------------------------


@pytest.mark.parametrize("base", ["", "/tfaas"])
def test_folders_of_static_dir_are_served(site, base):
    client = site(base=base)
    for path, kind in (
        ("js/a.js", "text/javascript"),
        ("css/a.css", "text/css"),
        ("images/deep/a.png", "image/png"),
    ):
        reply = client.simulate_get(f"{base}/{path}")
        assert (reply.text, reply.headers["Content-Type"]) == (path, kind)


@pytest.mark.parametrize(
    "path",
    [
        "/js/../../secret",
        "/js/%2e%2e/%2e%2e/secret",
        "/js/..%2f..%2fsecret",
        "/js//etc/hostname",
        "/js/missing.js",
        "/js/",
        "/css",
        "/static/js/a.js",
    ],
)
def test_nothing_else_is(site, path):
    reply = site().simulate_get(path)
    assert (reply.status_code, "error" in reply.json) == (404, True)


def waitress_would(stream, block_size):
    stream.seek(0)
    return iter(lambda: stream.read(block_size), b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_files_are_only_read(site, method):
    reply = site().simulate_request(method, "/js/a.js")
    assert (reply.status_code, reply.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert "error" in reply.json


def test_head_tells_a_files_length(site):
    """The reply is the same with a server that sends files itself, such as waitress."""
    wrapped = site().simulate_head("/js/a.js", file_wrapper=waitress_would)
    assert (wrapped.status_code, wrapped.headers["Content-Length"]) == (200, "7")
    reply = site().simulate_head("/js/a.js")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["Content-Length"] == "7"


def test_a_folder_that_is_not_there_has_no_route(site, tmp_path):
    (tmp_path / "static" / "js" / "a.js").unlink()
    (tmp_path / "static" / "js").rmdir()
    assert site().simulate_get("/js/a.js").status_code == 404
    assert site().simulate_get("/css/a.css").status_code == 200


def test_the_original_hands_out_any_file_and_this_does_not(site):
    reply = site().simulate_get("/data", params={"model": "/etc/hostname"})
    assert reply.status_code == 404


# -- /favicon.ico ---------------------------------------------------------------------


def test_the_favicon_is_an_icon(site):
    reply = site().simulate_get("/favicon.ico")
    assert reply.headers["Content-Type"] == "image/x-icon"
    with Image.open(io.BytesIO(reply.content)) as icon:
        assert icon.format == "ICO"


@pytest.mark.parametrize("path", ["images/favicon.ico", "favicon.ico"])
def test_the_icon_of_static_dir_goes_before_ours(site, tmp_path, path):
    (tmp_path / "static" / path).write_bytes(b"own icon")
    assert site().simulate_get("/favicon.ico").content == b"own icon"


# -- /download ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("model.onnx", linear_onnx(), "application/octet-stream"),
        ("labels.txt", b"two\nb\nc\n", "text/plain; charset=utf-8"),
        ("variables/variables.index", b"\x00index", "application/octet-stream"),
        # A page in a bundle must not become a page of this site.
        (
            "report/page.html",
            b"<script>alert(1)</script>",
            "application/octet-stream",
        ),
    ],
)
def test_a_file_of_the_served_bundle_is_downloaded(site, path, content, kind):
    reply = site().simulate_get(f"/download/linear/{path}")
    assert (reply.status_code, reply.content) == (200, content)
    assert reply.headers["Content-Length"] == str(len(content))
    assert reply.headers["Content-Type"] == kind
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["X-Model-Version"] == "2"


def test_head_tells_the_length_of_a_download(site):
    reply = site().simulate_head("/download/linear/model.onnx")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["Content-Length"] == str(len(linear_onnx()))


def test_a_version_or_a_label_may_be_named(site, tmp_path):
    labels = tmp_path / "models" / "linear" / ".labels"
    labels.mkdir()
    (labels / "canary").write_text("1\n")
    client = site()

    def first_label(**params):
        reply = client.simulate_get("/download/linear/labels.txt", params=params)
        return reply.text.split("\n")[0]

    assert first_label(version=1) == "one"
    assert first_label(version=2) == "two"
    assert first_label(label="canary") == "one"
    (labels / "stable").write_text("1\n")
    assert first_label() == "one"


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("version=3", 404, "has no version 3"),
        ("label=nosuch", 404, "has no label 'nosuch'"),
        ("version=1&label=x", 400, "both there"),
        ("version=../1", 400, "whole number"),
        ("version=%C2%B2", 400, "whole number"),
    ],
)
def test_a_version_that_is_not_there_is_told(site, query, status, sentence):
    reply = site().simulate_get("/download/linear/labels.txt", query_string=query)
    assert reply.status_code == status
    assert sentence in reply.json["error"]


@pytest.mark.parametrize(
    "path",
    [
        "nosuch/model.onnx",
        "linear/nosuch.txt",
        "linear/variables",
        "linear/variables/",
        "linear/../1/labels.txt",
        "linear/%2e%2e/1/labels.txt",
        "linear/..%2f1%2flabels.txt",
        "linear//etc/hostname",
        "linear/%2fetc/hostname",
        "linear/.hidden",
        "linear/a%00b",
        "linear/link.txt",
        "linear/linked/secret",
        "linear/pipe",
        "linear/socket",
        "linear/" + "x" * 5000,
        "../secret/x",
    ],
)
def test_nothing_but_regular_files_of_the_bundle_is_downloaded(site, path, tmp_path):
    folder = tmp_path / "models" / "linear" / "2"
    (folder / ".hidden").write_text("hidden")
    (folder / "link.txt").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket"))
    reply = site().simulate_get(f"/download/{path}")
    assert reply.status_code == 404
    assert str(tmp_path) not in reply.json["error"]


def test_a_flat_bundle_does_not_hold_the_versions_beside_it(site, tmp_path):
    write_bundle(tmp_path / "models" / "linear")
    client = site()
    query = {"version": 0}
    flat = client.simulate_get("/download/linear/params.json", params=query)
    assert flat.status_code == 200
    beside = client.simulate_get("/download/linear/1/labels.txt", params=query)
    assert beside.status_code == 404


# -- /netron --------------------------------------------------------------------------


def test_the_viewer_is_served_with_all_that_its_page_names(site):
    client = site(base="/tfaas")
    page = client.simulate_get("/tfaas/netron/", params={"url": "/x"})
    assert page.headers["Content-Type"].startswith("text/html")
    named = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', page.text)
    assert {"index.js", "grapher.css", "favicon.ico"} <= set(named)
    # The page loads these modules for an ONNX graph.
    modules = ("view.js", "browser.js", "worker.js", "onnx.js", "onnx-metadata.json")
    for name in (*named, *modules):
        reply = client.simulate_get(f"/tfaas/netron/{name}")
        assert reply.status_code == 200, name
        assert reply.content
        # A browser runs no module of another type.
        if name.endswith(".js"):
            assert reply.headers["Content-Type"] == "text/javascript"


def test_the_viewer_asks_nobody_else_and_is_never_out_of_date(site):
    page = site().simulate_get("/netron/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.cookies["consent"].value
    assert '<meta name="version" content="0.0.0">' in page.text
    assert 'name="date"' not in page.text


def test_the_page_without_its_slash_is_elsewhere(site):
    reply = site(base="/b").simulate_get("/b/netron", query_string="url=/x")
    assert reply.status_code == 301
    assert reply.headers["Location"] == "/b/netron/?url=/x"


@pytest.mark.parametrize(
    "name", ["server.py", "nosuch.js", "..%2fsix.py", "__init__.py"]
)
def test_nothing_else_of_the_package_is_served(site, name):
    assert site().simulate_get(f"/netron/{name}").status_code == 404


def test_without_the_package_it_is_told_how_to_install_it(site, monkeypatch):
    monkeypatch.setattr(netron_package, "find_spec", lambda name: None)
    client = site()
    for path in ("/netron/", "/netron/index.js"):
        reply = client.simulate_get(path)
        assert reply.status_code == 404
        assert "pip install 'tfaas-onnx[netron]'" in reply.json["error"]
