"""Triton's config.pbtxt is read for names, shapes and the size of batches."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import SourceCodeInfo
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


def test_a_reshaped_tensor_has_the_models_shape(tmp_path: Path) -> None:
    """Triton's documentation has both forms ("Reshape")."""
    text = """
      max_batch_size: 8
      input [ { name: "x" dims: [ 1 ] reshape: { shape: [ ] } } ]
      input { name: "y" dims: [ -1, 4 ] reshape { shape: [ -1, 2, 2 ] } }
      output [ { name: "z" dims: [ 2, 2 ] reshape: { shape: [ 4 ] } } ]
    """
    assert read_config(write(tmp_path, text)) == TritonConfig(
        8, {"x": (None,), "y": (None, None, 2, 2)}, {"z": (None, 4)}
    )


# The values are those of https://protobuf.dev/reference/protobuf/textformat-spec.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name: "a" "b"', {"name": ["ab"]}),
        ("name: \"a\" # why\n 'b'", {"name": ["ab"]}),
        ('backends: ["a" "b", "c"]', {"backends": ["ab", "c"]}),
        ("dims: 0x1F dims: 017 dims: 0", {"dims": [31, 15, 0]}),
        ("dims: [-1, - 1, -0x2]", {"dims": [-1, -1, -2]}),
        ("dims: []", {"dims": []}),
        (r"name: 'it\'s \x41\102\?'", {"name": ["it's AB?"]}),
        (r'name: "\303\251 \u00e9 \U0001F600"', {"name": ["é é 😀"]}),
        ("a < b: 1; c: 2, > d { }", {"a": [{"b": [1], "c": [2]}], "d": [{}]}),
        ("a: 1; b: 2, c: 3", {"a": [1], "b": [2], "c": [3]}),
        ("a [<b: 1>, {b: 2}]", {"a": [{"b": [1]}, {"b": [2]}]}),
        ("#a: 1\nb: 2#c", {"b": [2]}),
        (
            "[a.b]: 5 [t.com/a.B] { c: 1.5e-3f }",
            {"[a.b]": [5], "[t.com/a.B]": [{"c": ["1.5e-3f"]}]},
        ),
        (
            "a: true b: -inf c: KIND_CPU",
            {"a": ["true"], "b": ["-inf"], "c": ["KIND_CPU"]},
        ),
    ],
)
def test_each_form_of_the_format_is_read(text: str, expected: object) -> None:
    assert read_pbtxt(text, "x") == expected


@pytest.mark.parametrize(
    "text",
    [
        "path: 0x1F path: 0 path: -1",
        "path: [0X1f, 2]; span: [], path: 3",
        "leading_comments: 'a' \"b\" # c\n 'd'",
        r"""leading_comments: 'it\'s \x41\102\n'""",
        r'leading_comments: "\303\251 \u00e9 \U0001F600"',
        "leading_detached_comments: ['a' 'b', 'c']",
        "path: [1 2]",
        "path: [1,]",
        "path: 1;;",
        "5: 1",
    ],
)
def test_protobuf_itself_reads_and_refuses_the_same(text: str) -> None:
    try:
        wanted = text_format.Parse(text, SourceCodeInfo.Location())
    except text_format.ParseError:
        with pytest.raises(BundleError):
            read_pbtxt(text, "x")
        return
    content = read_pbtxt(text, "x")
    assert content.get("path", []) == list(wanted.path)
    assert "".join(content.get("leading_comments", [])) == wanted.leading_comments
    assert content.get("leading_detached_comments", []) == list(
        wanted.leading_detached_comments
    )


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
        ("dims: [1 2]", "has '2' where a comma or ']' belongs"),
        ("dims: [1,]", "has ']' where a value belongs"),
        ("5: 1", "has '5' where a field's name belongs"),
        ("a: 1;;", "has ';' where a field's name belongs"),
        ("[a: 1", "has ':' where a field's name belongs"),
        (r'name: "\q"', r"has the escape '\\q', which is none of the format"),
        (r'name: "\U00110000"', "which is none of the format"),
        (r'name: "\uD800"', "which is none of the format"),
        ('input { name: "x" reshape: 1 }', "'reshape' must be a message"),
        ('input { name: "x" reshape { shape: -2 } }', "'reshape' of 'x' must have a"),
        ("}", "has '}' where a field's name belongs"),
        ("name", "no value follows 'name'"),
        ('name "x"', "no value follows 'name'"),
        ("name: :", "has ':' where a value belongs"),
        ('name: "x', "cannot be read at line 1"),
        ("\n\nname: $", "cannot be read at line 3"),
        ("a {" * 33, "is nested more than 32 deep"),
        ("a {" * 100_000, "is nested more than 32 deep"),
        ("a: [" * 100_000, "has ':' where a comma or ']' belongs"),
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
