from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundle.errors import BundleError
from bundle.folder import MAX_LABELS, MAX_LABELS_BYTES, open_bundle

# The case is named like the folder that has it.
CASES = Path(__file__).parents[1] / "bundles"

WRONG = {
    "no-params": "params.json is missing",
    "params-not-json": "params.json is not JSON",
    "params-a-list": "params.json must hold one JSON object",
    "name-with-slash": "params.json: 'name' is 'digits/1'",
    "labels-missing": "labels.txt is missing, and params.json names it as 'labels'",
    "labels-not-utf8": "labels.txt is not a text file in UTF-8",
    "labels-a-folder": "variables is not a text file in UTF-8",
    "labels-outside": "params.json: 'labels' must name a file of the bundle",
    "labels-unprintable-name": "params.json holds a value that JSON cannot carry",
    "no-model": "neither saved_model.pb nor model.onnx is there",
    "no-variables": "variables/variables.index is missing",
    "no-shard": "variables/variables.data-00001-of-00002 is missing",
}
RIGHT = {
    "whole": ("zero", "one"),
    "onnx-alone": ("zero", "one"),
    "constant-weights": ("zero", "one"),
    "no-labels": (),
    "labels-blank": (),
    "labels-from-windows": ("zero", "one"),
}


def test_every_folder_has_its_expectation() -> None:
    assert {path.name for path in CASES.iterdir()} == WRONG.keys() | RIGHT.keys()


@pytest.mark.parametrize("case", WRONG)
def test_broken_bundle_has_its_sentence(case: str) -> None:
    with pytest.raises(BundleError) as caught:
        open_bundle(CASES / case)
    assert str(caught.value).startswith(WRONG[case])
    assert str(CASES) not in str(caught.value)


@pytest.mark.parametrize("case", RIGHT)
def test_whole_bundle_opens_with_its_labels(case: str) -> None:
    bundle = open_bundle(CASES / case)
    assert bundle.params.name == "digits"
    assert bundle.labels == RIGHT[case]
    assert bundle.path == CASES / case


def test_bundle_says_which_models_it_holds() -> None:
    whole, onnx = open_bundle(CASES / "whole"), open_bundle(CASES / "onnx-alone")
    assert (whole.has_saved_model, whole.onnx) == (True, None)
    assert (onnx.has_saved_model, onnx.onnx) == (
        False,
        CASES / "onnx-alone" / "model.onnx",
    )


def test_folder_that_is_not_there_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"params\.json is missing"):
        open_bundle(tmp_path / "gone")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a", ("a",)),
        ("a\nb", ("a", "b")),
        ("a\n\nc\n", ("a", "", "c")),
        ("a\n\n\n", ("a",)),
        (" a \n b\n", (" a ", " b")),
        ("größer\n雪\n", ("größer", "雪")),
        ("a\u2028b\n", ("a\u2028b",)),
    ],
)
def test_a_label_is_a_line(tmp_path: Path, text: str, labels: tuple[str, ...]) -> None:
    (tmp_path / "params.json").write_text('{"name": "m", "labels": "l.txt"}')
    (tmp_path / "model.onnx").write_bytes(b"")
    (tmp_path / "l.txt").write_text(text, encoding="utf-8", newline="")
    assert open_bundle(tmp_path).labels == labels


@pytest.mark.parametrize("size", [MAX_LABELS_BYTES + 1, 1 << 40])
def test_labels_are_bounded_before_they_are_read(tmp_path: Path, size: int) -> None:
    (tmp_path / "params.json").write_text('{"name": "m", "labels": "l.txt"}')
    (tmp_path / "model.onnx").touch()
    with (tmp_path / "l.txt").open("wb") as stream:
        stream.truncate(size)  # a terabyte of zeros takes no room on the disk
    with pytest.raises(BundleError, match=r"^l\.txt holds more than"):
        open_bundle(tmp_path)


def test_number_of_labels_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"name": "m", "labels": "l.txt"}')
    (tmp_path / "model.onnx").touch()
    (tmp_path / "l.txt").write_bytes(b"a\n" * MAX_LABELS)
    assert len(open_bundle(tmp_path).labels) == MAX_LABELS
    (tmp_path / "l.txt").write_bytes(b"a\n" * (MAX_LABELS + 1))
    with pytest.raises(BundleError, match=f"more than {MAX_LABELS} labels"):
        open_bundle(tmp_path)


def test_shards_of_an_earlier_number_may_lie_beside(tmp_path: Path) -> None:
    """Such shards remain where one SavedModel is written over another."""
    folder = with_saved_model(tmp_path)
    (folder / "params.json").write_text('{"name": "m"}')
    shards = folder / "variables"
    (shards / "variables.data-00000-of-00002").touch()
    with pytest.raises(BundleError, match="data-00001-of-00002 is missing"):
        open_bundle(folder)
    (shards / "variables.data-00000-of-00001").touch()
    assert open_bundle(folder).has_saved_model


# --- frozen graphs

NODES = {"input_node": "x", "output_node": "y"}
# This is a node in protobuf: field 1 with a length, whose name is "x".
GRAPH_DEF = b"\x0a\x03\x0a\x01x"
# Field 1 of a SavedModel is its schema's version; here it is 1.
SAVED_MODEL = b"\x08\x01"


def with_graph(folder: Path, file: str, data: bytes, **params: object) -> Path:
    content = {"name": "m", "model": file, **params}
    (folder / "params.json").write_text(json.dumps(content))
    (folder / file).write_bytes(data)
    return folder


def with_saved_model(folder: Path) -> Path:
    (folder / "saved_model.pb").write_bytes(SAVED_MODEL)
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").touch()
    return folder


@pytest.mark.parametrize("file", ["tf_model_20180315.pb", "saved_model.pb"])
def test_a_graph_without_variables_is_a_frozen_one(tmp_path: Path, file: str) -> None:
    bundle = open_bundle(with_graph(tmp_path, file, GRAPH_DEF, **NODES))
    assert bundle.frozen_graph == bundle.tensorflow_model == tmp_path / file
    assert not bundle.has_saved_model
    assert bundle.nodes == ("x", "y")


def test_a_saved_model_is_no_frozen_graph(tmp_path: Path) -> None:
    bundle = open_bundle(CASES / "whole")
    assert (bundle.frozen_graph, bundle.nodes) == (None, ())
    assert bundle.tensorflow_model == CASES / "whole" / "saved_model.pb"
    assert open_bundle(CASES / "onnx-alone").tensorflow_model is None


def test_a_saved_model_with_variables_is_one_whatever_it_begins_with(
    tmp_path: Path,
) -> None:
    with_graph(with_saved_model(tmp_path), "saved_model.pb", GRAPH_DEF)
    assert open_bundle(tmp_path).has_saved_model


def test_a_saved_model_that_lost_its_variables_is_no_frozen_graph(
    tmp_path: Path,
) -> None:
    variable = b"\x0a\x10\x0a\x01v\x12\x0bVarHandleOp"  # it is a node with its operator
    with_graph(tmp_path, "saved_model.pb", SAVED_MODEL + variable, **NODES)
    with pytest.raises(BundleError, match="saved_model.pb has variables"):
        open_bundle(tmp_path)


def test_of_both_the_one_that_params_json_names_is_the_model(tmp_path: Path) -> None:
    with_graph(with_saved_model(tmp_path), "graph.pb", GRAPH_DEF, **NODES)
    bundle = open_bundle(tmp_path)
    assert (bundle.frozen_graph, bundle.has_saved_model) == (tmp_path / "graph.pb", 0)
    (tmp_path / "graph.pb").unlink()
    bundle = open_bundle(tmp_path)
    assert (bundle.frozen_graph, bundle.has_saved_model) == (None, 1)


def test_a_named_file_of_another_kind_is_no_graph(tmp_path: Path) -> None:
    with_graph(with_saved_model(tmp_path), "model.keras", b"PK")
    assert open_bundle(tmp_path).has_saved_model


@pytest.mark.parametrize("missing", NODES)
def test_a_frozen_graph_needs_its_nodes(tmp_path: Path, missing: str) -> None:
    nodes = {key: node for key, node in NODES.items() if key != missing}
    with_graph(tmp_path, "graph.pb", GRAPH_DEF, **nodes)
    with pytest.raises(BundleError, match=f"'{missing}' is missing: .* graph.pb"):
        open_bundle(tmp_path)


def test_a_frozen_graph_that_is_not_there_is_named(tmp_path: Path) -> None:
    with_graph(tmp_path, "graph.pb", GRAPH_DEF, **NODES).joinpath("graph.pb").unlink()
    with pytest.raises(BundleError, match="neither graph.pb nor model.onnx is there"):
        open_bundle(tmp_path)
