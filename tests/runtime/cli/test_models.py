"""The commands work on a store folder."""

import json
import subprocess
import sys

import pytest

from runtime.admin.errors import AdminError
from runtime.backends import InputRefused
from runtime.cli.output import WORK_FAILED
from runtime.errors import NotOffered
from runtime.http.errors import STATUS
from tests.examples import tar_of, write_bundle
from tests.runtime.cli.commands import answer, models

pytestmark = pytest.mark.usefixtures("place")


CPU = "onnxruntime/CPUExecutionProvider"
# The model 'linear' takes pictures.
ASK = "curl http://localhost:8083/predict/image -F image=@picture.png -F model=linear"


def cells(line):
    """Return a row of a table, with its columns one space apart."""
    return " ".join(line.split())


@pytest.mark.slow
def test_help_imports_nothing_that_is_slow():
    script = """
import sys
from click.testing import CliRunner
from runtime.cli import main
for arguments in ([], ["models"], ["models", "push"], ["predict"], ["top"]):
    assert CliRunner().invoke(main, [*arguments, "--help"]).exit_code == 0
slow = {"falcon", "httpx", "onnxruntime", "rich", "tensorflow", "runtime.services"}
print(sorted(slow & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_models_is_an_empty_list():
    assert answer("list") == []
    done = models("list")
    assert done.stdout == ""
    assert done.stderr == "there are no models in models/\n"


def test_a_list_has_a_line_a_model(store, versions):
    versions(3)
    store.delete_version("linear", 2)
    store.set_label("linear", "stable", 1)
    heading, line = models("list").stdout.splitlines()
    assert cells(heading) == "name serves versions labels backend state"
    assert cells(line) == "linear 1 1, 3 stable=1 loaded on first use"


def test_the_list_as_json_is_that_of_the_route(versions):
    versions(2)
    (model,) = answer("list")
    assert (model["name"], model["version"], model["versions"]) == ("linear", 2, [1, 2])


def test_what_a_bundle_says_moves_no_cursor(store):
    """params.json comes from anybody, and its errors quote it."""
    params = {"labels": "\x1b[2J.txt"}
    folder = store.root / "linear" / "1"
    write_bundle(folder, params=params)
    done = models("list")
    assert "\x1b" not in done.output
    assert "broken" in done.stdout


def test_what_a_bundle_says_moves_no_cursor_in_json_either(store):
    said = "\x1b[2J \x9b2J \x7f \u202e é \U000e0001"
    write_bundle(store.root / "linear" / "1", params={"description": said})
    done = models("list --json")
    assert not set(done.stdout) & set("\x1b\x9b\x7f\u202e\U000e0001")
    assert "é" in done.stdout
    (model,) = json.loads(done.stdout)
    assert model["description"] == said


def test_models_dir_names_another_store(versions, store, place):
    versions(1)
    store.root.rename(place / "elsewhere")
    assert answer("list --models-dir elsewhere")[0]["name"] == "linear"


def test_show_tells_of_each_version(store, versions):
    versions(2)
    store.set_label("linear", "canary", 2)
    store.set_label("linear", "stable", 1)
    first, heading, one, two = models("show linear").stdout.splitlines()
    assert first == "linear serves version 1"
    assert cells(heading).startswith("version labels ")
    assert cells(one).startswith("1 stable ")
    assert cells(two).startswith("2 canary ")
    assert answer("show linear")["labels"] == {"canary": 2, "stable": 1}


@pytest.mark.parametrize("spec", ["linear:2", "linear@canary"])
def test_show_tells_one_version_in_full(store, versions, spec):
    versions(2)
    store.set_label("linear", "canary", 2)
    text = models(f"show {spec}").stdout
    assert cells(text.splitlines()[0]) == "version linear:2"
    assert "zero, one, two" in text
    assert "model.onnx" in text
    assert answer(f"show {spec}")["version"] == 2


def test_a_folder_is_pushed(place, store):
    write_bundle(place / "trained")
    assert models("push trained").stdout == f"linear:1 {CPU}\n{ASK}\n"
    assert store.versions("linear") == [1]


def test_a_push_says_that_an_onnx_has_no_proof(place):
    write_bundle(place / "trained", proved=False)
    assert models("push trained").stderr == (
        "its model.onnx is unproved; 'exporter convert' makes one with its proof\n"
    )


def test_an_archive_is_pushed_and_labelled(place, store, versions):
    versions(1)
    store.set_label("linear", "stable", 1)
    (place / "x.tar.gz").write_bytes(tar_of(write_bundle(place / "trained")))
    done = models("push x.tar.gz --label canary")
    where, pinned = "http://localhost:8083/predict/image", "?version=2"
    ask = ASK.replace(where, f"'{where}{pinned}'")
    assert done.stdout == f"linear:2 {CPU}\n{ask}\n"
    assert done.stderr == "a request without a version still gets 1\n"
    assert store.labels("linear") == {"canary": 2, "stable": 1}


def test_a_push_of_an_unloaded_model_says_so(place, store, versions):
    versions(1)
    store.set_unloaded("linear", True)
    write_bundle(place / "trained")
    done = models("push trained --label stable")
    assert done.stdout == f"linear:2 {CPU}\n{ASK}\n"
    assert "answers no requests until it is loaded with POST" in done.stderr
    assert answer("push trained")["serves"] is None
    assert store.labels("linear") == {"stable": 2}


def test_a_push_as_json_says_what_serves(place, store, versions):
    versions(1)
    store.set_label("linear", "stable", 1)
    write_bundle(place / "trained")
    assert answer("push trained")["serves"] == 1
    assert answer("push trained --label stable") == {
        "name": "linear",
        "version": 3,
        "backend": CPU,
        "fallback_reason": "",
        "warm_up": "",
        "serves": 3,
        "label": "stable",
        "ask": ASK,
    }


def test_a_push_that_is_refused_changes_nothing(place, store):
    write_bundle(place / "trained", onnx_bytes=b"nonsense")
    assert "model.onnx is damaged" in models("push trained", 2).stderr
    assert "must be a letter" in models("push trained --label 1st", 2).stderr
    assert "does not exist" in models("push nosuch", 2).stderr
    assert store.names() == []


def test_what_is_pulled_is_what_was_pushed(place):
    write_bundle(place / "trained")
    models("push trained")
    assert models("pull linear").stdout == "linear:1 linear\n"
    for path in (place / "trained").iterdir():
        assert (place / "linear" / path.name).read_bytes() == path.read_bytes()
    assert answer("pull linear:1 --output x.tar.gz") == {
        "name": "linear",
        "version": 1,
        "path": "x.tar.gz",
    }
    models("push x.tar.gz")


@pytest.mark.parametrize(
    ("spec", "number"), [("linear", 2), ("linear:1", 1), ("linear@canary", 3)]
)
def test_a_pull_fetches_the_version_that_is_meant(store, versions, spec, number):
    versions(3)
    store.set_label("linear", "stable", 2)
    store.set_label("linear", "canary", 3)
    assert answer(f"pull {spec}")["version"] == number


def test_a_pull_replaces_no_folder(place, versions):
    versions(1)
    models("pull linear")
    assert "is not replaced" in models("pull linear", 2).stderr


def test_deleting_without_a_terminal_needs_a_yes(store, versions):
    versions(2)
    assert "say --yes" in models("delete linear", 2).stderr
    assert store.versions("linear") == [1, 2]
    assert models("delete linear:1 --yes").stdout == "linear:1 is deleted\n"
    assert store.versions("linear") == [2]
    assert answer("delete linear --yes") == {"deleted": "linear"}
    assert store.names() == []


def test_a_labelled_version_is_not_deleted(store, versions):
    versions(1)
    store.set_label("linear", "stable", 1)
    assert "labelled 'stable'" in models("delete linear:1 --yes", 2).stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("label linear canary", "linear:VERSION or linear@LABEL"),
        ("label --delete linear:1 canary", "takes NAME LABEL"),
        ("label linear:1 1st", "must be a letter"),
        ("label linear@nosuch canary", "no label 'nosuch'"),
        ("label linear:9 canary", "no version 9"),
        ("delete linear@canary", "'linear@canary' is not NAME or NAME:VERSION"),
        ("rollback linear:1", "'linear:1' is not NAME"),
        ("show linear:one", "'linear:one' is not NAME or"),
        ("show linear:", "'linear:' is not"),
        ("show linear@", "'linear@' is not"),
        ("show linear:1@canary", "is not NAME"),
        ("show ../../etc", "is not NAME"),
        ("show nosuch", "no model 'nosuch'; 'runtime models list' lists those there"),
        ("list --server http://x --models-dir y", "not both"),
        ("list --cacert ca.pem", "--cacert needs an https:// URL"),
        ("list --token-file config.json", "--token-file needs a URL"),
        (
            "list --server http://x --token-file nosuch",
            "nosuch cannot be read: No",
        ),
        ("list --server http://x --token-file models", "models cannot be read: Is a"),
        ("list --server x", "--server 'x' is no URL"),
        ("list --models-dir config.json", "not a folder"),
    ],
)
def test_what_is_typed_wrong_is_a_sentence(versions, command, words):
    versions(1)
    assert words in " ".join(models(command, 2).stderr.split())


def test_a_token_that_is_no_text_is_told(place):
    (place / "token").write_bytes(b"\xff\xfe")
    done = models("list --server http://x --token-file token", 2)
    assert "--token-file token is not a text" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("one\ntwo\n", "several lines or words"),
        ("my token", "several lines or words"),
        ("\n", "nothing"),
    ],
)
def test_a_file_without_one_token_alone_is_named_and_not_shown(place, text, has):
    (place / "token.txt").write_text(text)
    done = models("list --server http://x --token-file token.txt", 2)
    wanted = f"--token-file token.txt has {has}; put one token alone into it"
    assert " ".join(done.stderr.split()).endswith(wanted)


def test_the_server_may_stand_in_the_environment(versions, monkeypatch):
    versions(1)
    monkeypatch.setenv("MODELS_SERVER", "nonsense")
    assert "'nonsense' is no URL" in models("list", 2).stderr
    # A typed option overrides the variable.
    assert answer("list --models-dir models")[0]["name"] == "linear"


def test_exit_codes_are_those_of_the_statuses():
    """The code is 1 for errors that the service answers with 5xx, and 2 for 4xx."""
    # No command here gives a model the numbers of a client, or speaks a protocol.
    for error in STATUS.keys() - {InputRefused, NotOffered}:
        is_failure = STATUS[error].startswith("5")
        assert issubclass(error, WORK_FAILED) == is_failure, error
    assert not issubclass(AdminError, WORK_FAILED)
