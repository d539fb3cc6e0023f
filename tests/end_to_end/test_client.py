"""The Python client asks real servers: the service, and some that fail on purpose."""

import asyncio
import doctest
import json
import re
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

import tfaas_onnx
import tfaas_onnx.client
from bundle.store import ModelStore
from runtime.access.tokens import digest_of
from tests.documents import ROOT
from tests.end_to_end.conftest import PATIENCE, RUNTIME, run, serving
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle
from tfaas_onnx import AsyncClient, Client

CPU = "onnxruntime/CPUExecutionProvider"
TOKEN = "a-token"
PAGE = ROOT / "docs" / "client.md"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "config.json").write_text(
        json.dumps(
            {
                "provider": "cpu",
                "base": "/ml",
                "workers": 1,
                "feedbackDir": "feedback",
                "writeTokens": [digest_of(TOKEN)],
            }
        )
    )
    with serving(RUNTIME, folder) as server:
        yield ModelStore(folder / "models"), f"{server.url}/ml"


@pytest.fixture
def store(served):
    store, _ = served
    for name in store.names():
        store.delete(name)
    return store


@pytest.fixture
def url(served):
    return served[1]


@pytest.fixture
def folder(tmp_path):
    return write_bundle(tmp_path / "linear")


@pytest.fixture
def client(url, store, folder):
    with Client(url, token=TOKEN, timeout=PATIENCE) as client:
        assert client.upload(folder).version == 1
        yield client


def check(examples):
    """Run examples, and fail with what they print in place of the expected."""
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    result = runner.run(examples, out=said.append)
    assert result.attempted
    assert not result.failed, "".join(said)


@pytest.mark.parametrize("module", [tfaas_onnx, tfaas_onnx.client])
def test_the_examples_of_the_documentation_hold(module, client, url, folder):
    """They run in the order of the file, and one begins where the last one ended."""
    found = doctest.DocTestFinder().find(module)
    named = {"client": client, "url": url, "folder": folder}
    examples = [
        example
        for part in sorted(found, key=lambda part: part.lineno or 0)
        for example in part.examples
    ]
    assert examples
    check(doctest.DocTest(examples, named, module.__name__, None, None, None))


def test_the_examples_of_the_page_hold(work, monkeypatch):
    """They take the model and the picture that README's commands make."""
    shutil.copytree(work / "mnist", work / "models" / "mnist" / "1")
    run("trainer image --fout img1.png --imgid 3", work)
    monkeypatch.chdir(work)
    blocks = re.findall(r"^```pycon\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert blocks
    with serving(f"{RUNTIME} --workers 1", work) as server:
        name = PAGE.name
        text = "\n".join(blocks).replace("http://localhost:8083", server.url)
        parser = doctest.DocTestParser()
        check(parser.get_doctest(text, {}, name, name, 0))


PIXELS = np.array([[1, 2], [3, 4]], np.uint8)
# By WEIGHTS, pixels 2 and 3 both feed class 2.
SCORES = {"two": 7.0, "one": 2.0, "zero": 1.0}


@pytest.mark.parametrize("form", ["array", "PIL", "path", "text", "bytes"])
def test_a_picture_may_have_any_form(client, tmp_path, form):
    path = tmp_path / "picture.png"
    Image.fromarray(PIXELS).save(path)
    picture = {
        "array": PIXELS,
        "PIL": Image.fromarray(PIXELS),
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
    }[form]
    answer = client.predict_image(picture, model="linear")
    assert answer.by_label() == SCORES
    assert (answer.label, answer.backend, answer.version) == ("two", CPU, 1)
    assert answer.request_id


def test_many_pictures_are_more_than_one_form(client):
    pictures = [np.full((2, 2), n, np.uint8) for n in range(100)]
    answers = client.predict_images(pictures, model="linear", top=1)
    assert [answer.probability for answer in answers] == [2.0 * n for n in range(100)]
    assert client.predict_images([], model="linear") == []


def test_encoded_pictures_may_be_tensors_too(client, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "picture.png")
    encoded = np.array([(tmp_path / "picture.png").read_bytes()], object)
    assert client.predict(encoded, model="linear").tolist() == [[1, 2, 7]]


def test_a_label_and_a_version_choose_who_answers(client, tmp_path):
    twice = write_bundle(tmp_path / "twice", onnx_bytes=linear_onnx(WEIGHTS * 2))
    assert client.upload(twice).version == 2
    client.label("linear", "old", 1)
    pixels = PIXELS.reshape(1, 2, 2, 1)
    for chosen, first in (({}, 2), ({"version": 1}, 1), ({"label": "old"}, 1)):
        assert client.predict(pixels, model="linear", **chosen)[0, 0] == first
        answer = client.predict_image(PIXELS, model="linear", **chosen)
        assert answer.by_label()["zero"] == first


def test_a_new_version_may_take_other_inputs(client, tmp_path):
    """The client remembers the old names, and finds the new ones by itself."""
    pixels = PIXELS.reshape(1, 2, 2, 1)
    client.predict(pixels, model="linear")
    renamed = linear_onnx().replace(b"pixels", b"images")
    client.upload(write_bundle(tmp_path / "renamed", onnx_bytes=renamed))
    assert client.predict(pixels, model="linear").tolist() == [[1, 2, 7]]


def test_an_archive_is_uploaded_as_it_is(client, folder, tmp_path):
    (tmp_path / "linear.tar.gz").write_bytes(tar_of(folder))
    assert client.upload(tmp_path / "linear.tar.gz").version == 2


def test_what_the_server_refuses_has_its_sentence_status_and_id(client, url, tmp_path):
    with pytest.raises(tfaas_onnx.NotFound, match="there is no model 'nosuch'") as no:
        client.predict_image(PIXELS, model="nosuch")
    assert no.value.status == 404
    assert no.value.request_id
    broken = write_bundle(tmp_path / "broken", onnx_bytes=b"nonsense")
    with pytest.raises(tfaas_onnx.InvalidInput, match=r"model\.onnx is damaged"):
        client.upload(broken)
    with pytest.raises(tfaas_onnx.InvalidInput, match="takes"):
        client.predict(np.zeros((1, 3, 3, 1)), model="linear")
    with (
        Client(url, token="another") as stranger,
        pytest.raises(tfaas_onnx.Unauthorized) as refused,
    ):
        stranger.delete("linear")
    assert refused.value.status == 401
    assert [model.name for model in client.models()] == ["linear"]


def test_the_async_twin_answers_the_same(client, url, tmp_path, folder):
    async def ask():
        async with AsyncClient(url, token=TOKEN, timeout=PATIENCE) as twin:
            assert await twin.ready()
            assert (await twin.upload(folder)).version == 2
            assert await twin.label("linear", "canary", 2) == 2
            assert await twin.labels("linear") == {"canary": 2}
            answers = await asyncio.gather(
                *(twin.predict_image(PIXELS, model="linear") for _ in range(20))
            )
            assert all(answer.by_label() == SCORES for answer in answers)
            pixels = PIXELS.reshape(1, 2, 2, 1)
            scores = await twin.predict(pixels, model="linear", label="canary")
            assert scores.tolist() == [[1, 2, 7]]
            async with twin.download("linear", 2) as bundle:
                (tmp_path / "linear.tar.gz").write_bytes(
                    b"".join([chunk async for chunk in bundle.chunks])
                )
            assert (await twin.upload(tmp_path / "linear.tar.gz")).version == 3
            await twin.delete_label("linear", "canary")
            await twin.delete("linear", 2)
            model = await twin.model("linear")
            assert [one.version for one in model.versions] == [1, 3]
            assert (await twin.version("linear", 3)).classes == ("zero", "one", "two")
            assert (await twin.status())["models"]
            assert "tfaas_requests_total" in await twin.metrics()
            assert [one.name for one in await twin.models()] == ["linear"]
            with pytest.raises(tfaas_onnx.NotFound):
                await twin.model("nosuch")

    asyncio.run(ask())


# The servers below are not this service.


@pytest.fixture
def failing():
    """Return a function that starts a server whose first replies are given.

    A reply is a status with headers; None cuts the connection. The server answers the
    list of no models when they are used up. The function returns its URL, and the list
    of the requests' lines.
    """
    started = []

    def start(*replies):
        left, seen = list(replies), []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                length = int(self.headers.get("Content-Length", 0))
                seen.append((self.command, self.rfile.read(length)))
                reply = left.pop(0) if left else (200, {})
                self.close_connection = True
                if reply is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, headers = reply
                body = b"[]" if status == 200 else b'{"error": "not now"}'
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(body)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.do_GET()

            def do_DELETE(self):
                self.do_GET()

            def log_message(self, *arguments):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        started.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", seen

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


@pytest.mark.parametrize(
    "failure", [(503, {"Retry-After": "0"}), (429, {}), (502, {}), None]
)
def test_what_may_be_repeated_is_repeated(failing, failure):
    url, seen = failing(failure, failure)
    with Client(url, retries=2) as client:
        assert client.models() == []
    assert len(seen) == 3


def test_the_async_twin_repeats_too(failing):
    url, seen = failing((503, {"Retry-After": "0"}), None)

    async def ask():
        async with AsyncClient(url, retries=2) as twin:
            assert await twin.models() == []

    asyncio.run(ask())
    assert len(seen) == 3


def test_an_upload_whose_connection_was_cut_is_not_repeated(failing, folder):
    """The server may have published it."""
    url, seen = failing(None)
    with Client(url) as client, pytest.raises(tfaas_onnx.Unreachable, match="broke"):
        client.upload(folder)
    assert len(seen) == 1


def test_an_upload_that_the_server_did_not_begin_is_sent_again_whole(failing, folder):
    url, seen = failing((503, {"Retry-After": "0"}), (409, {}))
    with (
        Client(url) as client,
        pytest.raises(tfaas_onnx.Conflict, match="^not now$"),
    ):
        client.upload(folder)
    (_, first), (_, second) = seen
    assert first == second
    assert len(first) > (folder / "model.onnx").stat().st_size


def test_a_server_that_asks_for_more_patience_than_there_is_is_not_asked_again(failing):
    url, seen = failing((503, {"Retry-After": "3600"}))
    with Client(url) as client, pytest.raises(tfaas_onnx.Unavailable) as busy:
        client.models()
    assert busy.value.retry_after == 3600
    assert len(seen) == 1


def test_a_silent_server_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Client(url, timeout=0.2) as client,
            pytest.raises(tfaas_onnx.Timeout, match=r"silent for 0\.2 seconds"),
        ):
            client.models()


def test_a_port_where_nothing_listens_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(url) as client:
            assert not client.ready()
            with pytest.raises(tfaas_onnx.Unreachable, match="nothing listens at"):
                client.delete("linear")
