"""``runtime models adopt`` makes versions of flat folders, one by one."""

import json
import shutil

import pytest
from click.testing import CliRunner

from runtime.cli import main
from tests.documents import ROOT
from tests.examples import write_bundle

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODELS_SERVER", raising=False)
    (tmp_path / "config.json").write_text('{"provider": "cpu"}')
    write_bundle(tmp_path / "models" / "linear")
    return tmp_path


@pytest.fixture
def broken(place):
    """Return a folder as a failed upload left it on TFaaS."""
    return shutil.copytree(ROOT / "tests/bundles/no-params", place / "models/broken")


def adopt(command, code=0):
    done = CliRunner().invoke(main, ["models", "adopt", *command.split()])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def test_a_folder_is_adopted_and_the_way_back_told(store):
    done = adopt("linear")
    assert done.stdout == f"linear:1 {CPU}\n"
    assert "linear is an ONNX model with 3 labels, " in done.stderr
    assert "'runtime models rollback NAME --to 0' serves one again" in done.stderr
    assert store.versions("linear") == [0, 1]


def test_a_second_time_nothing_is_done(store):
    adopt("--all")
    done = adopt("--all")
    assert done.stdout == ""
    assert "linear: nothing to do: models/ has its version 1 already" in done.stderr
    assert store.versions("linear") == [0, 1]


def test_a_dry_run_changes_nothing(place, store):
    assert adopt("--dry-run").stdout == "linear would become version 1\n"
    assert store.versions("linear") == [0]
    assert [path.name for path in store.root.iterdir()] == ["linear"]


@pytest.mark.usefixtures("broken")
def test_a_broken_folder_is_named_and_the_others_go(place, store):
    write_bundle(place / "models" / "another", name="another")
    done = adopt("--all", 1)
    assert done.stdout == f"another:1 {CPU}\nlinear:1 {CPU}\n"
    assert "broken: not adopted: params.json is missing" in done.stderr
    assert "1 of 3 flat folders cannot be adopted: broken" in done.stderr
    assert store.names() == ["another", "linear"]


@pytest.mark.usefixtures("broken")
def test_json_has_the_outcome_of_each():
    broken, linear = json.loads(adopt("--all --json", 1).stdout)
    assert (broken["outcome"], broken["version"]) == ("refused", None)
    assert "params.json is missing" in broken["reason"]
    assert linear == {
        "name": "linear",
        "kind": "an ONNX model",
        "bytes": linear["bytes"],
        "outcome": "adopted",
        "reason": "",
        "version": 1,
        "backend": CPU,
        "fallback_reason": "",
        "serves": 1,
    }


def test_folders_of_another_place_stay_there(place, store):
    (place / "models").rename(place / "tfaas")
    done = adopt("--all --from tfaas")
    assert done.stdout == f"linear:1 {CPU}\n"
    assert "the flat folders stay in tfaas/, and take " in done.stderr
    assert "rollback" not in done.stderr
    assert store.versions("linear") == [1]


def test_an_object_store_gets_versions(place):
    pytest.importorskip("obstore")
    url = f"file://{place}/bucket"
    assert "--from FOLDER names" in adopt(f"--all --models-dir {url}", 2).stderr
    assert (
        adopt(f"--all --models-dir {url} --from models").stdout == f"linear:1 {CPU}\n"
    )
    again = adopt(f"--all --models-dir {url} --from models")
    assert "has its version 1 already" in again.stderr
    listed = CliRunner().invoke(main, ["models", "list", "--models-dir", url])
    assert "linear" in listed.stdout


def test_an_old_label_is_told(store):
    store.set_label("linear", "stable", 0)
    told = adopt("linear").stderr
    assert "still gets 0; 'runtime models label linear:1 stable' changes" in told


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("", "say NAME, or --all"),
        ("linear --all", "not both"),
        ("nosuch", "models has no folder 'nosuch'"),
        ("--all --from nosuch", "nosuch"),
        ("--all --models-dir nosuch", "there is no folder nosuch"),
        ("--all --server http://localhost:1", "--from FOLDER names"),
    ],
)
def test_a_wrong_command_is_told(store, command, told):
    assert told in adopt(command, 2).stderr
    assert store.versions("linear") == [0]


def test_a_folder_without_models_is_told(place):
    (place / "empty").mkdir()
    assert "there are no flat folders in empty/" in adopt("--all --from empty").stderr
