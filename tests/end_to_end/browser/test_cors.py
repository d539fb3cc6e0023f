"""A page of another origin asks the service, and the browser decides what it reads."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.documents import ROOT
from tests.end_to_end.conftest import RUNTIME, serving
from tests.examples import write_bundle
from tests.forms import png

# A picture of 2x2 pixels, and what the model answers to it; see ``linear_onnx``.
PICTURE = png([[1, 2], [3, 4]])
SCORES = [1, 2, 7]
MAX_BODY = 100_000


class Page(BaseHTTPRequestHandler):
    """An empty page, and no icon."""

    def do_GET(self):
        self.send_response(200 if self.path == "/" else 204)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if self.path == "/":
            self.wfile.write(b"<!doctype html><title>lab</title>")

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def site():
    """Serve a page; return its port. It has an origin for each name of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_bundle(folder / "models" / "linear" / "1")
    settings = {
        "base": "/ml",
        "corsOrigins": [f"http://127.0.0.1:{site}"],
        "predictTokens": [hashlib.sha256(b"reader").hexdigest()],
        "writeTokens": [hashlib.sha256(b"writer").hexdigest()],
        "maxBodyBytes": MAX_BODY,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        yield server


# The script sends a request, and gives what a script can read of the reply.
FETCH = """
async ({url, path, init}) => {
    try {
        const reply = await fetch(url + "/ml" + path, init);
        const headers = Object.fromEntries(reply.headers);
        return {status: reply.status, headers, text: await reply.text()};
    } catch (error) {
        return {error: error.name};
    }
}
"""


@pytest.fixture
def listed(page, site):
    page.goto(f"http://127.0.0.1:{site}/")
    return page


@pytest.fixture
def unlisted(page, site):
    page.goto(f"http://localhost:{site}/")
    return page


@pytest.fixture
def fetch(server):
    """Return a function that lets a page send a request with a token."""

    def fetch(page, path, token="reader", headers=(), **init):
        token = {"Authorization": f"Bearer {token}"} if token else {}
        init["headers"] = {**token, **dict(headers)}
        return page.evaluate(FETCH, {"url": server.url, "path": path, "init": init})

    return fetch


def test_a_listed_page_sends_a_picture_as_the_documents_say(listed, server):
    page = (ROOT / "docs/securing.md").read_text()
    (script,) = re.findall(r"^```js\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    script = script.replace("https://models.example", f"{server.url}/ml")
    got = listed.evaluate(
        f"""async (bytes) => {{
            const file = new File([new Uint8Array(bytes)], "a.png");
            const token = "reader";
            {script.replace("mnist", "linear")}
            return [reply.status, version, scores];
        }}""",
        list(PICTURE),
    )
    assert got == [200, "1", SCORES]


def test_a_listed_page_reads_the_services_headers(listed, fetch):
    body = json.dumps({"model": "linear", "values": [1, 2, 3, 4]})
    headers = {
        "Content-Type": "application/json",
        "X-Request-Id": "page-1",
        "X-Timeout-Ms": "60000",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    reply = fetch(listed, "/predict/json", headers=headers, method="POST", body=body)
    assert (reply["status"], json.loads(reply["text"])) == (200, SCORES)
    assert reply["headers"]["x-request-id"] == "page-1"
    assert reply["headers"]["x-model-version"] == "1"
    assert reply["headers"]["x-model-backend"].startswith("onnxruntime/")


def test_a_listed_page_infers_with_binary_tensors(listed, server):
    """The header that tells where the tensors begin goes both ways."""
    got = listed.evaluate(
        """async (url) => {
            const head = new TextEncoder().encode(JSON.stringify({
                inputs: [{name: "pixels", datatype: "FP32", shape: [1, 2, 2, 1],
                          parameters: {binary_data_size: 16}}],
                outputs: [{name: "scores", parameters: {binary_data: true}}],
            }));
            const pixels = new Float32Array([1, 2, 3, 4]);
            const reply = await fetch(url + "/ml/v2/models/linear/infer", {
                method: "POST",
                body: new Blob([head, pixels]),
                headers: {
                    Authorization: "Bearer reader",
                    "Inference-Header-Content-Length": String(head.length),
                },
            });
            const end = Number(reply.headers.get("Inference-Header-Content-Length"));
            const bytes = await reply.arrayBuffer();
            return [reply.status, Array.from(new Float32Array(bytes.slice(end)))];
        }""",
        server.url,
    )
    assert got == [200, SCORES]


@pytest.mark.parametrize(
    ("path", "token", "init", "status", "sentence"),
    [
        ("/models", "", {}, 401, "this request needs a token"),
        ("/upload", "reader", {"method": "POST"}, 401, "does not admit"),
        ("/models/nosuch", "reader", {}, 404, "nosuch"),
        ("/nosuch", "", {}, 404, "there is no such route"),
        ("/predict/json", "reader", {"method": "POST", "body": "{"}, 400, "JSON"),
        (
            "/predict/json",
            "reader",
            {"method": "POST", "body": "a" * (MAX_BODY + 1)},
            413,
            f"larger than {MAX_BODY} bytes",
        ),
        ("/predict/json", "reader", {}, 405, "this route takes POST"),
    ],
)
def test_a_listed_page_reads_the_sentence_of_an_error(
    listed, fetch, faults, path, token, init, status, sentence
):
    faults.expect(f"the server responded with a status of {status}")
    reply = fetch(listed, path, token, **init)
    assert reply["status"] == status
    assert sentence in json.loads(reply["text"])["error"]


def test_a_listed_page_writes_with_a_token_for_writes(listed, fetch):
    """PUT and DELETE are asked for in a preflight."""
    path = "/models/linear/labels/page"
    put = {"method": "PUT", "body": '{"version": 1}'}
    assert fetch(listed, path, "writer", **put)["status"] == 200
    labels = json.loads(fetch(listed, "/models/linear/labels")["text"])
    assert labels["page"] == 1
    assert fetch(listed, path, "writer", method="DELETE")["status"] == 200


def test_a_listed_page_may_ask_with_a_proxys_cookies(listed, fetch):
    assert fetch(listed, "/models", credentials="include")["status"] == 200


REFUSED = "has been blocked by CORS policy"


@pytest.mark.parametrize(
    ("path", "token", "init"),
    [
        ("/livez", "", {}),  # it needs no preflight
        ("/models", "", {}),
        ("/models", "reader", {}),
        ("/predict/json", "reader", {"method": "POST", "body": "{}"}),
    ],
)
def test_a_page_that_is_not_listed_reads_nothing(
    unlisted, fetch, faults, path, token, init
):
    faults.expect(REFUSED, "net::ERR_FAILED")
    assert fetch(unlisted, path, token, **init) == {"error": "TypeError"}


@pytest.mark.parametrize(
    ("path", "init"),
    [
        ("/predict/json", {"method": "PATCH"}),  # no route takes it
        ("/models", {"headers": {"X-Secret": "1"}}),  # nobody reads this header
        ("/nosuch", {"headers": {"X-Request-Id": "1"}}),
    ],
)
def test_a_listed_page_does_not_send_what_no_route_takes(
    listed, fetch, faults, path, init
):
    faults.expect(REFUSED, "net::ERR_FAILED")
    assert fetch(listed, path, "", **init) == {"error": "TypeError"}
