"""Some servers fail, and some servers are another program."""

import ssl

import httpx
import pytest

from runtime.admin import Transfer
from runtime.admin.destination import Destination
from runtime.admin.errors import AdminError, Refused, ServerFailed, Unreachable
from runtime.admin.remote import RemoteAdmin, connect
from tfaas_onnx import Client

URL = "http://service:8083/base"
HTML = {"html": "<h1>It works!</h1>"}


def answering(handle, **options):
    transport = httpx.MockTransport(handle)
    client = Client(URL, transport=transport, timeout=300, retries=0, **options)
    return RemoteAdmin(client)


def refusing(error, cause=None):
    def handle(request):
        raise error from cause

    return answering(handle)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (404, Refused),
        (409, Refused),
        (422, Refused),
        (429, Refused),
        (500, ServerFailed),
        (503, ServerFailed),
    ],
)
def test_the_sentence_of_the_server_is_the_sentence(status, error):
    def handle(request):
        if request.url.path == "/base/models":
            return httpx.Response(200, json=[])
        return httpx.Response(status, json={"error": "so it is"})

    admin = answering(handle)
    with pytest.raises(error, match=r"^so it is$"):
        admin.model("linear")


@pytest.mark.parametrize(
    "reply",
    [
        {"html": "<h1>It works!</h1>"},
        {"json": {"detail": "Not Found"}, "status_code": 404},
        {"json": {"hello": "world"}},
        {"json": ["linear"]},
        {"content": b"\xff\xfe"},
        {"content": b"[" * 100_000},
        {"status_code": 404, "html": "<h1>Not Found</h1>"},
    ],
)
def test_another_service_is_told_from_one_of_ours(reply):
    admin = answering(lambda _: httpx.Response(**{"status_code": 200, **reply}))
    with pytest.raises(Refused, match=r"http://service:8083/base is no tfaas-onnx"):
        admin.models()


def test_an_answer_without_what_is_read_of_it_is_not_ours():
    admin = answering(lambda _: httpx.Response(200, json={"name": "linear"}))
    with pytest.raises(Refused, match=r"GET /models/linear without 'serves'"):
        admin.model("linear")


TENSOR = {"name": "x", "dtype": "float32", "shape": [None, 3]}
VERSION = {
    "name": "linear",
    "version": 1,
    "bytes": 10,
    "labels": ["stable"],
    "sample": {"right": 1, "images": 1},
    "parity": None,
    "inputs": [TENSOR],
}


@pytest.mark.parametrize(
    ("ask", "said", "wrong"),
    [
        ("models", [{"name": "linear", "versions": 3}], "versions"),
        ("models", [{"name": "linear", "versions": ["1"]}], "versions"),
        ("models", [{"name": "linear", "version_labels": [1]}], "version_labels"),
        ("models", [{"name": "linear", "serves": "\x1b[2J"}], "serves"),
        ("models", [{"name": "linear", "serves": True}], "serves"),
        ("models", [{"name": "../linear"}], "name"),
        ("models", [{"name": 1}], "name"),
        ("model", {"serves": 1, "labels": {}, "versions": [1]}, "versions"),
        ("model", {"serves": 1, "labels": {"x": "1"}, "versions": []}, "labels"),
        ("version", {**VERSION, "bytes": "10"}, "bytes"),
        ("version", {**VERSION, "bytes": None}, "bytes"),
        ("version", {**VERSION, "parity": 3}, "parity"),
        ("version", {**VERSION, "sample": {"right": "1", "images": 1}}, "right"),
        ("version", {**VERSION, "inputs": [{**TENSOR, "shape": ["3"]}]}, "shape"),
        ("version", {**VERSION, "files": [{"name": 1, "bytes": 1}]}, "name"),
        ("version", {**VERSION, "classes": [1]}, "classes"),
    ],
)
def test_an_answer_of_another_kind_is_not_ours(ask, said, wrong):
    """A command neither prints such an answer nor fails on it with a traceback."""
    admin = answering(lambda _: httpx.Response(200, json=said))
    arguments = {"models": (), "model": ("linear",), "version": ("linear", 1)}[ask]
    with pytest.raises(Refused, match=f"is no tfaas-onnx .* with a wrong '{wrong}'"):
        getattr(admin, ask)(*arguments)


def test_an_answer_that_has_more_than_is_read_is_ours():
    said = {**VERSION, "later": {"key": [1]}}
    admin = answering(lambda _: httpx.Response(200, json=said))
    assert admin.version("linear", 1) == said


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_without_an_end_is_not_read_to_it(status):
    read = []

    def endless():
        while True:
            read.append(b" " * 100)
            yield read[-1]

    admin = answering(
        lambda _: httpx.Response(status, content=endless()), max_reply_bytes=1000
    )
    with pytest.raises(Refused, match="/models with more than 1000 bytes"):
        admin.models()
    bundle = admin.bundle("linear", 1)
    with pytest.raises(Refused, match="more than 1000|is no archive"), bundle:
        pass
    assert len(read) < 30


def test_a_page_is_no_archive():
    admin = answering(lambda _: httpx.Response(200, **HTML))
    with (
        pytest.raises(Refused, match="1/bundle is no archive"),
        admin.bundle("linear", 1),
    ):
        pass


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (502, ServerFailed, "answered 502 Bad Gateway, as a proxy does"),
        (413, Refused, "answered 413 Request Entity Too Large"),
        (403, Refused, "answered 403 Forbidden"),
    ],
)
def test_a_proxy_that_answers_itself_is_told_as_one(status, error, words):
    admin = answering(lambda _: httpx.Response(status, **HTML))
    with pytest.raises(error, match=words):
        admin.publish(Transfer([b"x"], 1))


def test_where_a_server_sends_on_to_is_named_and_not_followed():
    there = {"Location": "https://service/base/models"}
    admin = answering(lambda _: httpx.Response(301, headers=there))
    with pytest.raises(Refused, match="redirects to https://service/base/models"):
        admin.models()


def test_who_is_asked_for_a_token_is_told_where_to_put_it():
    error = {"error": "this needs a token"}
    admin = answering(lambda _: httpx.Response(401, json=error))
    with pytest.raises(Refused, match=r"needs a token; .* \$MODELS_TOKEN or --token-"):
        admin.models()


@pytest.mark.parametrize("token", ["a token", "t\u00f6ken", "two\nlines"])
def test_what_cannot_be_a_token_is_a_sentence_without_it(token):
    with (
        pytest.raises(AdminError, match="characters that no token may have") as caught,
        connect(URL, token=token),
    ):
        pytest.fail("it was taken")
    assert token not in str(caught.value)


@pytest.mark.parametrize("header", ["", "X Token", "X-Token:", "t\u00f6ken"])
def test_what_cannot_be_a_header_is_a_sentence(header):
    with (
        pytest.raises(AdminError, match="is no header's name"),
        connect(URL, token="secret", token_header=header),
    ):
        pytest.fail("it was taken")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectTimeout("timed out"), "no connection in 10 seconds"),
        (httpx.ReadTimeout("timed out"), "silent for 300 seconds"),
        (httpx.ReadError("reset by peer"), r"broke \(reset by peer\)"),
        (httpx.RemoteProtocolError("cut"), r"broke \(cut\)"),
        (httpx.ConnectError("no route to host"), "cannot be reached: no route"),
    ],
)
def test_a_connection_that_fails_is_a_sentence(error, words):
    with pytest.raises(Unreachable, match=rf"http://service:8083/base .*{words}"):
        refusing(error).models()


def test_a_tls_port_that_speaks_no_tls_is_told():
    cause = ssl.SSLError("wrong version number")
    with pytest.raises(Unreachable, match=r"begin with http://\?"):
        refusing(httpx.ConnectError("x"), cause).models()


def test_a_download_that_breaks_off_leaves_nothing(tmp_path):
    def broken():
        yield b"\x1f\x8b"
        raise httpx.ReadError("reset by peer")

    reply = {"headers": {"Content-Type": "application/gzip"}, "content": broken()}
    admin = answering(lambda _: httpx.Response(200, **reply))
    with (
        pytest.raises(Unreachable, match="reset by peer"),
        admin.bundle("linear", 1) as transfer,
    ):
        Destination(tmp_path / "linear").save(transfer.chunks, 0)
    assert list(tmp_path.iterdir()) == []


class Recording(httpx.BaseTransport):
    """A transport that takes an upload piece by piece, as a socket does."""

    def handle_request(self, request):
        self.headers = request.headers
        self.pieces = list(request.stream)
        return httpx.Response(200, json={"name": "a", "version": 1, "backend": "b"})


def test_an_upload_says_its_length_and_is_sent_in_pieces():
    seen = Recording()
    admin = RemoteAdmin(Client(URL, transport=seen))
    admin.publish(Transfer(iter([b"one", b"two"]), 6))
    assert seen.headers["Content-Length"] == "6"
    assert "Transfer-Encoding" not in seen.headers
    assert seen.pieces == [b"one", b"two"]


@pytest.mark.parametrize(
    "url",
    ["localhost:8083", "ftp://host", "http://", "http://[::1", "", "http://h/?a=b"],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(AdminError, match="--server"), connect(url):
        pass


def test_a_password_in_the_url_is_not_shown():
    with connect("http://me:secret@service/base/") as admin:
        assert admin.place == "http://service/base"


@pytest.mark.parametrize(
    ("content", "words"), [("no PEM", "holds no certificate"), (None, "cannot be read")]
)
def test_a_cacert_that_is_none_is_refused(tmp_path, content, words):
    cacert = tmp_path / "ca.pem"
    if content:
        cacert.write_text(content)
    with (
        pytest.raises(AdminError, match=rf"--cacert .*{words}"),
        connect("https://service", cacert),
    ):
        pass
