"""Triton's config.pbtxt is read for names, shapes and the size of batches."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.errors import BundleError
from bundle.folder import open_bundle
from bundle.pbtxt import read_pbtxt
from bundle.triton import TritonConfig, read_config
from tests.bundle.making import write_files

# This is the example of Triton's documentation ("Minimal Model Configuration"), with
# the fields that its other examples have.
EXAMPLE = """
  platform: "onnxruntime_onnx"
  max_batch_size: 8
  input [
    {
      name: "input0"  # the first
      data_type: TYPE_FP32
      dims: [ 16 ]
    },
    {
      name: 'input1'
      data_type: TYPE_FP32
      dims: [ 16, -1 ]
    }
  ]
  output {
    name: "output0"
    data_type: TYPE_FP32
    dims: 16
    dims: 4
    label_filename: "labels.txt"
  }
  instance_group [ { count: 1 kind: KIND_CPU } ]
  dynamic_batching: { preferred_batch_size: [ 4, 8 ]; max_queue_delay_microseconds: 1 }
  parameters <key: "a\\"b" value: {string_value: "c"}>
"""


def write(folder: Path, text: str, place: str = "model/1") -> Path:
    files = {"model/config.pbtxt": text.encode(), f"{place}/model.onnx": b"onnx"}
    write_files(folder, files)
    return folder / place


@pytest.mark.parametrize("place", ["model/1", "model/1/model.savedmodel", "model"])
def test_the_documented_example_is_read(tmp_path: Path, place: str) -> None:
    bundle = open_bundle(write(tmp_path, EXAMPLE, place))
    assert bundle.config == TritonConfig(
        8,
        {"input0": (None, 16), "input1": (None, 16, None)},
        {"output0": (None, 16, 4)},
    )


def test_the_format_is_read_without_its_definition() -> None:
    content = read_pbtxt(EXAMPLE, "config.pbtxt")
    assert content["platform"] == ["onnxruntime_onnx"]
    assert content["instance_group"] == [{"count": [1], "kind": ["KIND_CPU"]}]
    assert content["output"][0]["dims"] == [16, 4]
    assert content["dynamic_batching"][0]["preferred_batch_size"] == [4, 8]
    assert content["parameters"] == [
        {"key": ['a"b'], "value": [{"string_value": ["c"]}]}
    ]


def test_a_model_without_batches_has_whole_shapes(tmp_path: Path) -> None:
    text = 'name: "model" max_batch_size: 0 input { name: "x" dims: [ 1, 3 ] }'
    assert read_config(write(tmp_path, text)) == TritonConfig(0, {"x": (1, 3)})


@pytest.mark.parametrize("text", ["", "  # nothing\n", 'backend: "onnxruntime"'])
def test_a_description_may_tell_nothing(tmp_path: Path, text: str) -> None:
    assert read_config(write(tmp_path, text)) == TritonConfig()


def test_a_model_without_a_description_has_none(tmp_path: Path) -> None:
    write_files(tmp_path, {"model/1/model.onnx": b"onnx"})
    assert open_bundle(tmp_path / "model" / "1").config is None


def test_params_go_before_a_description(tmp_path: Path) -> None:
    folder = write(tmp_path, "input {")
    write_files(folder, {"params.json": b'{"name": "model"}'})
    assert open_bundle(folder).config is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('name: "other"', "'name' is 'other', and the folder's name is 'model'"),
        ("name: 5", "'name' must be a text"),
        ("max_batch_size: -1", "'max_batch_size' is -1; it must be 0 or more"),
        ('max_batch_size: "8"', "'max_batch_size' must be a whole number"),
        ("input: 3", "'input' must be a message"),
        ("input { dims: 3 }", "each 'input' must have a name"),
        ('output { name: "y" dims: -2 }', "each 'output' must have a name, and dims"),
        ('output { name: "y" dims: 1.5 }', "each 'output' must have a name, and dims"),
        ("input {", "has '' where a field's name belongs"),
        ("input [", "has '' where a value belongs"),
        ("}", "has '}' where a field's name belongs"),
        ("name", "no value follows 'name'"),
        ('name "x"', "no value follows 'name'"),
        ("name: :", "has ':' where a value belongs"),
        ('name: "x', "cannot be read at line 1"),
        ("\n\nname: $", "cannot be read at line 3"),
        ("a {" * 33, "is nested more than 32 deep"),
        ("a {" * 100_000, "is nested more than 32 deep"),
        ("a: [" * 100_000, "has ':' where a value belongs"),
        ("a: " + "[" * 100_000, "has '[' where a value belongs"),
        ("#" + "x" * (1 << 20), "is larger than 1048576 bytes"),
    ],
)
def test_a_damaged_description_is_a_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    folder = write(tmp_path, text)
    with pytest.raises(BundleError, match="^config.pbtxt") as caught:
        read_config(folder)
    assert sentence in str(caught.value)


def test_a_description_in_bytes_is_a_sentence(tmp_path: Path) -> None:
    folder = write(tmp_path, "")
    (tmp_path / "model" / "config.pbtxt").write_bytes(b"\xff")
    with pytest.raises(BundleError, match="is not a text in UTF-8"):
        read_config(folder)


def test_escapes_are_those_of_the_format() -> None:
    text = r"""a: "\n\t\101\x41\\\"\'" """
    assert read_pbtxt(text, "x") == {"a": ["\n\tAA\\\"'"]}


@given(st.text(alphabet="ab0-1.{}[]<>:,;#\"'\\ \n", max_size=60))
@settings(max_examples=300)
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        read_pbtxt(text, "x")
    except BundleError as ex:
        assert str(ex).startswith("x")


@pytest.mark.parametrize("text", ["#" * 60 + "\n$", " ,;" * 60 + "@", '#\n"' * 60])
def test_no_text_takes_long(text):
    """The time of a careless pattern doubles with each sign."""
    with pytest.raises(BundleError, match="^config.pbtxt"):
        read_pbtxt(text, "config.pbtxt")
