"""``runtime models push`` and ``runtime bundle`` take the file of a model."""

import json
import tarfile

import pytest
from click.testing import CliRunner

from bundle.folder import open_whole
from runtime.cli import main
from tests.examples import linear_onnx, write_bundle

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODELS_SERVER", raising=False)
    (tmp_path / "config.json").write_text('{"provider": "cpu", "base": "/ml"}')
    (tmp_path / "net.onnx").write_bytes(linear_onnx())
    return tmp_path


def runtime(*arguments, code=0):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def push(*arguments, code=0):
    return runtime("models", "push", *arguments, code=code)


def test_a_file_is_pushed_and_the_line_that_asks_it_is_printed(store):
    done = push("net.onnx", "--labels", "zero, one,two")
    assert done.stdout.splitlines() == [
        f"net:1 {CPU}",
        "curl http://localhost:8083/ml/predict/image -F image=@picture.png"
        " -F model=net",
    ]
    assert "net.onnx is an ONNX model; the model's name is net" in done.stderr
    assert "img_channels is 1, from the shape of pixels" in done.stderr
    bundle = open_whole(store.newest("net").path)
    assert bundle.params.img_channels == 1
    assert bundle.labels == ("zero", "one", "two")


def test_the_labels_may_stand_in_a_file(place, store):
    (place / "labels.txt").write_bytes("a, b\r\nü\r\nc\r\n".encode("utf-8-sig"))
    push("net.onnx", "--labels", "labels.txt")
    assert open_whole(store.newest("net").path).labels == ("a, b", "ü", "c")


def test_a_push_as_json_has_the_line_too(store):
    done = push("net.onnx", "--channels", "0", "--json")
    pushed = json.loads(done.stdout)
    assert (pushed["name"], pushed["version"]) == ("net", 1)
    assert pushed["ask"].startswith("curl http://localhost:8083/ml/predict/json -d ")


def test_a_pushed_file_may_get_a_label(store):
    push("net.onnx")
    push("net.onnx", "--label", "stable")
    done = push("net.onnx")
    assert store.labels("net") == {"stable": 2}
    assert "a request without a version still gets 2" in done.stderr
    assert "?version=3" in done.stdout


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--labels", "nosuch.txt"], "neither a file nor a list with commas"),
        (["--labels", "a,,b"], "must name each class"),
        (["--labels", "a,b"], "labels.txt names 2 classes and the model has 3"),
        (["--labels", "net.onnx"], "is not a text file in UTF-8"),
        (["--channels", "2"], "is not one of '0', '1', '3'"),
        (["--preprocess", "invert"], "is no JSON, such as '{\"invert\": true}'"),
        (["--preprocess", '{"size": 3}'], "'preprocess.size' must be [height, width]"),
        (["--preprocess", "[1]"], "'preprocess' must be a JSON object"),
        (["--name", ".x"], "say --name NAME"),
        (["--signature", "x"], "--signature is for a SavedModel"),
        (["--inputs", "x"], "are for a frozen graph"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_publishes_nothing(store, given, told):
    done = push("net.onnx", *given, code=2)
    assert told in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert store.names() == []


def test_labels_that_a_terminal_would_obey_are_no_problem(place, store):
    push("net.onnx", "--labels", "a,\x1b[2J,c")
    assert store.names() == ["net"]


def test_a_bundle_takes_none_of_these_options(place, store):
    write_bundle(place / "trained")
    done = push("trained", "--name", "other", code=2)
    assert "trained is a bundle, and its params.json tells its name" in done.stderr
    assert store.names() == []


def test_a_bundle_is_made_and_not_published(place, store):
    done = runtime("bundle", "net.onnx", "--labels", "a,b,c", "--name", "mine")
    assert done.stdout == "mine mine\n"
    assert "publish it with: runtime models push mine" in done.stderr
    bundle = open_whole(place / "mine")
    assert (bundle.params.name, bundle.params.img_channels) == ("mine", 1)
    assert store.names() == []
    assert push("mine").stdout.startswith(f"mine:1 {CPU}\n")


def test_a_bundle_may_be_an_archive(place):
    done = runtime("bundle", "net.onnx", "--output", "x.tar.gz", "--json")
    assert json.loads(done.stdout) == {"name": "net", "path": "x.tar.gz"}
    with tarfile.open(place / "x.tar.gz") as tar:
        assert "net/params.json" in tar.getnames()
    push("x.tar.gz")


def test_a_made_bundle_replaces_nothing(place):
    (place / "net").mkdir()
    (place / "net" / "precious").touch()
    done = runtime("bundle", "net.onnx", code=2)
    assert "is not replaced; name another place with --output" in done.stderr
    assert [path.name for path in (place / "net").iterdir()] == ["precious"]


def test_of_a_bundle_no_bundle_is_made(place):
    write_bundle(place / "trained")
    done = runtime("bundle", "trained", code=2)
    assert "is a bundle already: runtime models push trained" in done.stderr
