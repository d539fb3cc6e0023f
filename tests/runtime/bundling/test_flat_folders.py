"""Flat folders of models are found among other folders, and told apart."""

import shutil

import pytest

from runtime.admin.errors import AdminError
from runtime.bundling.flat_folders import find_flat_folders
from tests.documents import ROOT
from tests.examples import write_bundle

BUNDLES = ROOT / "tests" / "bundles"


@pytest.fixture
def root(tmp_path):
    """Return TFaaS's modelDir with two models, and with what else people keep there."""
    root = tmp_path / "models"
    shutil.copytree(BUNDLES / "whole", root / "digits")
    write_bundle(root / "linear", params={"labels": ""})
    write_bundle(root / "versions" / "1")
    (root / "notes").mkdir()
    (root / "notes" / "readme.txt").write_text("ours")
    (root / ".git").mkdir()
    (root / "file").write_text("no folder")
    return root


def test_models_are_found_and_other_folders_passed_over(root):
    digits, linear = find_flat_folders(root)
    assert (digits.name, digits.kind, digits.labels) == ("digits", "a SavedModel", 2)
    assert (linear.name, linear.kind, linear.labels) == ("linear", "an ONNX model", 0)
    assert digits.reason == linear.reason == ""
    sizes = [p.stat().st_size for p in (root / "digits").rglob("*") if p.is_file()]
    assert digits.bytes == sum(sizes)


def test_versions_beside_a_flat_folder_are_not_its_files(root):
    write_bundle(root / "linear" / "1")
    linear = find_flat_folders(root, ["linear"])[0]
    files = {"labels.txt", "model.onnx", "parity.json", "params.json"}
    assert linear.files().keys() == files


def test_a_frozen_graph_is_one(root):
    graph = root / "digits" / "saved_model.pb"
    graph.rename(root / "digits" / "graph.pb")
    shutil.rmtree(root / "digits" / "variables")
    (root / "digits" / "params.json").write_text(
        '{"name": "digits", "model": "graph.pb", "inputNode": "x", "outputNode": "y"}'
    )
    assert find_flat_folders(root, ["digits"])[0].kind == "a frozen graph"


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        ("no-params", "params.json is missing"),
        ("no-variables", "variables/variables.index is missing"),
        ("no-model", "neither saved_model.pb nor model.onnx is there"),
        ("params-not-json", "params.json is not JSON"),
        ("labels-missing", "labels.txt is missing"),
    ],
)
def test_a_broken_folder_is_found_with_its_reason(tmp_path, bundle, reason):
    shutil.copytree(BUNDLES / bundle, tmp_path / "models" / "broken")
    (broken,) = find_flat_folders(tmp_path / "models")
    assert (broken.name, broken.kind) == ("broken", "broken")
    assert reason in broken.reason


def test_a_folder_whose_name_is_no_models_is_told(root):
    (root / "digits").rename(root / "my digits")
    assert "'my digits' is no name for a model" in find_flat_folders(root)[1].reason


@pytest.mark.parametrize(
    ("place", "names", "told"),
    [
        ("nosuch", (), "there is no folder"),
        ("models/file", (), "there is no folder"),
        ("models", ("nosuch",), "has no folder 'nosuch'"),
        ("models", ("versions",), "it holds versions alone"),
        ("models", ("notes",), "it holds no file of a model"),
        ("models/linear", (), "runtime models adopt linear --from"),
    ],
)
def test_a_place_without_them_is_told(root, place, names, told):
    with pytest.raises(AdminError, match=told):
        find_flat_folders(root.parent / place, names)


def test_a_change_of_a_file_is_seen(root):
    linear = find_flat_folders(root, ["linear"])[0]
    before = linear.states()
    assert linear.states() == before
    (root / "linear" / "labels.txt").write_text("other\n")
    assert linear.states() != before
