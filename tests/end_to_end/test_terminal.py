"""``runtime predict``, ``status`` and ``top`` are typed against a real server."""

import json
import re
import socket

import pytest
from PIL import Image

from runtime.access.tokens import digest_of
from tests.end_to_end.conftest import RUNTIME, run, serving
from tests.end_to_end.terminal import on_terminal
from tests.examples import write_bundle

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    settings = {
        "provider": "cpu",
        "workers": 1,
        "predictTokens": [digest_of("a-token")],
        "writeTokens": [digest_of("another")],
    }
    (folder / "config.json").write_text(json.dumps(settings))
    write_bundle(folder / "models" / "linear" / "1")
    with serving(RUNTIME, folder) as server:
        yield server.url


@pytest.fixture
def runtime(url, tmp_path):
    """Return a function that types a command for the server; it returns the output."""
    Image.new("L", (2, 2), 3).save(tmp_path / "three.png")
    Image.new("L", (2, 2), 5).save(tmp_path / "five.png")

    def type_in(command, code=0, server=url, token="a-token"):
        line = f"MODELS_TOKEN={token} runtime {command} --url {server}"
        wrote = run(line, tmp_path, code)
        assert "Traceback" not in wrote
        return wrote

    return type_in


def cells(text):
    return [line.split() for line in text.splitlines()]


def test_a_picture_gets_its_classes_the_best_one_first(runtime):
    # By WEIGHTS, pixels 2 and 3 both feed class 2.
    assert cells(runtime("predict three.png --model linear")) == [
        ["picture", "label", "probability"],
        ["three.png", "two", "6.0000"],
        ["zero", "3.0000"],
        ["one", "3.0000"],
        ["version", "1,", CPU],
    ]


def test_several_pictures_are_answered_in_their_order(runtime):
    told = json.loads(runtime("predict three.png five.png --top 1 --json"))
    assert [(one["picture"], one["labels"]) for one in told] == [
        ("three.png", [{"label": "two", "probability": 6.0}]),
        ("five.png", [{"label": "two", "probability": 10.0}]),
    ]
    assert {(one["version"], one["backend"]) for one in told} == {(1, CPU)}


def test_long_work_shows_its_progress_on_a_terminal_alone(runtime, url, tmp_path):
    pictures = "three.png " * 40
    command = f"runtime predict {pictures} --top 1 --url {url} --token-file token"
    (tmp_path / "token").write_text("a-token")
    code, seen = on_terminal(command, tmp_path)
    assert code == 0, seen
    assert "predicting" in seen
    assert "40/40" in seen
    assert "predicting" not in runtime(f"predict {pictures}")


def test_the_status_is_told_in_lines_and_in_json(runtime, url):
    facts = dict(
        re.split(r" {2,}", line.strip(), maxsplit=1)
        for line in runtime("status").splitlines()
    )
    assert (facts["server"], facts["ready"], facts["workers"]) == (url, "yes", "1")
    told = json.loads(runtime("status --json"))
    assert told["ready"] is True
    assert told["pid"] > 0


def test_the_load_is_measured_once_for_a_pipe(runtime, url):
    runtime("predict three.png --model linear")
    wrote = runtime("top --once --interval 0.1")
    lines = wrote.splitlines()
    assert lines[0] == url
    assert lines[2].split()[:8] == [
        *("model", "req/s", "p50", "p99", "queue", "err/s", "memory", "engine")
    ]
    assert lines[3].split()[0] == "linear"
    assert lines[3].split()[-1] == "onnxruntime/CPU"
    assert runtime("top --interval 0.1").splitlines()[0] == url
    (model,) = json.loads(runtime("top --json --interval 0.1"))["models"]
    assert (model["model"], model["requests_per_second"]) == ("linear", 0)


def test_the_live_table_is_80_columns_wide_and_ends_with_ctrl_c(runtime, url, tmp_path):
    runtime("predict three.png --model linear")
    (tmp_path / "token").write_text("a-token")
    command = f"runtime top --interval 0.1 --url {url} --token-file token"
    code, seen = on_terminal(
        command, tmp_path, b"\x03", on=b"linear", columns=80, more={"NO_COLOR": "1"}
    )
    assert code == 0, seen
    # Bold letters have no colour.
    assert not re.search(r"\x1b\[([0-9;]*;)?([34]|9|10)[0-7][0-9;]*m", seen), seen
    bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert "onnxruntime/CPU" in bare
    assert max(map(len, re.split(r"[\r\n]+", bare))) <= 80


@pytest.mark.parametrize("command", ["predict three.png", "status", "top --once"])
def test_a_server_that_is_not_there_is_a_sentence(runtime, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens there
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        told = runtime(command, 1, address)
    assert (
        told == f"Error: nothing listens at {address}; start it with: runtime serve\n"
    )


@pytest.mark.parametrize("command", ["predict three.png", "status", "top --once"])
def test_a_wrong_token_is_a_sentence(runtime, command):
    told = runtime(command, 2, token="wrong")
    assert "token" in told
    assert "$MODELS_TOKEN or --token-file FILE" in told


def test_what_the_server_refuses_is_its_sentence(runtime, tmp_path):
    told = runtime("predict three.png --model nosuch", 2)
    assert "there is no model 'nosuch'; 'runtime models list' lists" in told
    assert "has no label" in runtime("predict three.png --model linear@old", 2)
    (tmp_path / "text.png").write_text("no picture")
    assert "Error: " in runtime("predict text.png", 2)
    assert "does not exist" in runtime("predict nosuch.png", 2)


def test_a_wrong_base_is_told(runtime, url):
    for command in ("predict three.png", "status"):
        told = runtime(command, 2, f"{url}/more")
        assert "must end with the service's 'base'" in told
