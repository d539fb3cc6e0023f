from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundle.errors import BundleError
from bundle.params import Fit, Params, Preprocess
from bundle.params_checks import params_from_json
from bundle.params_file import read_params, write_params

# `cat mnist/params.json | jq` prints it so in TFaaS's doc/MNIST.md.
TFAAS_MNIST = """{
  "name": "mnist",
  "model": "saved_model.pb",
  "labels": "labels.txt",
  "img_channels": 1,
  "input_name": "serving_default_input_1",
  "output_name": "StatefulPartitionedCall",
  "input_node": "input_1",
  "output_node": "dense/Softmax:0"
}"""


def read(folder: Path, text: str | bytes) -> Params:
    data = text.encode() if isinstance(text, str) else text
    (folder / "params.json").write_bytes(data)
    return read_params(folder)


def test_params_of_tfaas_own_example_read(tmp_path: Path) -> None:
    assert read(tmp_path, TFAAS_MNIST) == Params(
        name="mnist",
        model="saved_model.pb",
        labels="labels.txt",
        img_channels=1,
        input_name="serving_default_input_1",
        output_name="StatefulPartitionedCall",
        input_node="input_1",
        output_node="dense/Softmax:0",
    )


def test_stored_holds_the_file_as_it_was_with_unknown_keys(tmp_path: Path) -> None:
    text = '{"name": "m", "accuracy": 0.97, "tags": {"a": [1, null]}}'
    assert read(tmp_path, text).stored == {
        "name": "m",
        "accuracy": 0.97,
        "tags": {"a": [1, None]},
    }


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    params = Params(
        name="m-1.x",
        labels="labels.txt",
        img_channels=3,
        options=("a", "b"),
        description="größer ☃",
        preprocess=Preprocess((28, 30), 1 / 255, -0.5, "lanczos", True),
    )
    write_params(tmp_path, params)
    assert read_params(tmp_path) == params


def test_steps_for_drawn_digits_read_and_write_back(tmp_path: Path) -> None:
    steps = {"polarity": "auto", "fit": {"box": [20, 18], "centre": "box"}}
    params = params_from_json({"name": "m", "preprocess": steps})
    assert params.preprocess == Preprocess(polarity="auto", fit=Fit((20, 18), "box"))
    write_params(tmp_path, params)
    written = json.loads((tmp_path / "params.json").read_bytes())
    assert written["preprocess"] == steps
    nulls = {"polarity": None, "fit": None}
    assert params_from_json({"name": "m", "preprocess": nulls}).preprocess == (
        Preprocess()
    )


def test_written_file_holds_tfaas_keys_and_no_empty_ones(tmp_path: Path) -> None:
    write_params(tmp_path, Params(name="m", labels="l.txt", img_channels=1))
    assert json.loads((tmp_path / "params.json").read_bytes()) == {
        "name": "m",
        "model": "saved_model.pb",
        "labels": "l.txt",
        "img_channels": 1,
    }


# TFaaS's doc and its first struct had these keys in March 2018.
TFAAS_2018 = """{
  "name": "ImageModel", "model": "tf_model_20180315.pb", "labels": "labels.txt",
  "inputNode": "dense_1_input", "outputNode": "output_node0", "options": null
}"""


def test_early_tfaas_names_of_the_nodes_are_understood(tmp_path: Path) -> None:
    params = read(tmp_path, TFAAS_2018)
    assert (params.input_node, params.output_node) == ("dense_1_input", "output_node0")
    assert params.stored == json.loads(TFAAS_2018)
    assert params.to_json()["input_node"] == "dense_1_input"


def test_features_keep_their_order_and_are_written(tmp_path: Path) -> None:
    params = params_from_json({"name": "m", "features": ["pt", "eta", "phi"]})
    assert params.features == ("pt", "eta", "phi")
    write_params(tmp_path, params)
    content = json.loads((tmp_path / "params.json").read_bytes())
    assert content["features"] == ["pt", "eta", "phi"]


def test_file_with_a_byte_order_mark_reads(tmp_path: Path) -> None:
    assert read(tmp_path, b'\xef\xbb\xbf{"name": "m"}').name == "m"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "params.json is not JSON"),
        ("{", "params.json is not JSON"),
        ("[" * 100_000, "params.json is not JSON"),
        (b'{"name": "\xff"}', "params.json is not JSON"),
        ('{"name": "m", "n": ' + "9" * 5000 + "}", "params.json is not JSON"),
        ("[]", "must hold one JSON object"),
        ('"mnist"', "must hold one JSON object"),
        ("null", "must hold one JSON object"),
        ('{"name": "m", "x": "' + " " * (1 << 20) + '"}', "larger than 1048576"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_file_that_is_no_params_is_refused(
    tmp_path: Path, text: str | bytes, sentence: str
) -> None:
    with pytest.raises(BundleError) as caught:
        read(tmp_path, text)
    assert sentence in str(caught.value)
    for word in ("Expecting", "codec", "recursion", "sys."):  # Python's own
        assert word not in str(caught.value)


# The service could not write these values in a reply: RFC 8259 has no NaN, a lone
# surrogate has no UTF-8, and the C writers of JSON stop at 64 bits and 255 levels.
@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "[-Infinity]",
        '"\\ud800"',
        '{"\\udfff": 1}',
        str(1 << 64),
        str(-(1 << 63) - 1),
        "[" * 100 + "]" * 100,
    ],
    ids=["nan", "inf", "surrogate", "surrogate-key", "2^64", "below-2^63", "deep"],
)
def test_content_that_no_reply_could_carry_is_refused(
    tmp_path: Path, value: str
) -> None:
    with pytest.raises(BundleError, match=r"params.json holds a value"):
        read(tmp_path, f'{{"name": "m", "extra": {value}}}')


@pytest.mark.parametrize(
    "value", ["1e308", str((1 << 64) - 1), str(-(1 << 63)), "[" * 20 + "]" * 20]
)
def test_content_at_the_edge_of_json_is_kept(tmp_path: Path, value: str) -> None:
    params = read(tmp_path, f'{{"name": "m", "extra": {value}}}')
    assert params.stored["extra"] == json.loads(value)


def test_params_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.json").mkdir()
    with pytest.raises(BundleError, match=r"params\.json cannot be read"):
        read_params(tmp_path)


def test_refusal_names_no_folder_of_the_server(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        read_params(tmp_path)
    assert str(tmp_path) not in str(caught.value)


@given(st.binary(max_size=200))
@example(b'{"name": "m"}')
@example(b'{"name": "m", "name": 1}')
def test_any_bytes_read_or_are_refused(tmp_path: Path, data: bytes) -> None:
    try:
        read(tmp_path, data)
    except BundleError as ex:
        assert "params.json" in str(ex)
