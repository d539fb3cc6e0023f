from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundle.errors import BundleError
from bundle.params import Preprocess
from bundle.params_checks import params_from_json


def test_name_alone_is_enough_and_the_rest_is_tfaas_default() -> None:
    params = params_from_json({"name": "m"})
    assert (params.model, params.labels, params.op) == ("saved_model.pb", "", "")
    assert (params.img_channels, params.options) == (0, ())
    assert params.preprocess == Preprocess(None, 1.0, 0.0, "bilinear", False)


def test_go_null_options_are_no_options() -> None:
    # Go marshals a nil slice as null, and TFaaS's Options is a slice.
    assert params_from_json({"name": "m", "options": None}).options == ()


def test_todays_name_of_a_node_is_believed_before_the_early_one() -> None:
    both = {"name": "m", "input_node": "new", "inputNode": "old"}
    assert params_from_json(both).input_node == "new"


def test_ranges_are_kept_and_none_are_declared_by_default() -> None:
    params = params_from_json({"name": "m", "ranges": {"ids": [0, 9.5]}})
    assert params.ranges == {"ids": (0, 9.5)}
    assert params.to_json()["ranges"] == {"ids": [0, 9.5]}
    plain = params_from_json({"name": "m"})
    assert plain.ranges == {}
    assert "ranges" not in plain.to_json()


def test_the_variant_is_kept_and_none_is_named_by_default() -> None:
    params = params_from_json({"name": "m", "variant": "int8"})
    assert (params.variant, params.to_json()["variant"]) == ("int8", "int8")
    plain = params_from_json({"name": "m"})
    assert plain.variant == ""
    assert "variant" not in plain.to_json()


def test_without_features_there_are_none() -> None:
    assert params_from_json({"name": "m"}).features == ()
    assert params_from_json({"name": "m", "features": None}).features == ()


@pytest.mark.parametrize("name", ["m", "_", "0", "a.b-c_D", "9" * 128, "README.md"])
def test_name_that_is_a_plain_word_is_taken(name: str) -> None:
    assert params_from_json({"name": name}).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../x",
        "..",
        ".",
        ".x",
        "-x",
        "a" * 129,
        "a\0",
        "a/b",
        "/a",
        "a\\b",
        "a b",
        "a\n",
        "ä",
        "a%2e",
        "модель",
        "\ud800",
    ],
)
def test_hostile_name_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match=r"'name' is .* must be 1 to 128 letters"):
        params_from_json({"name": name})


def test_missing_name_is_refused() -> None:
    with pytest.raises(BundleError, match="'name' is ''"):
        params_from_json({"model": "saved_model.pb"})


TEXTS = [
    "name",
    "model",
    "labels",
    "op",
    "input_name",
    "output_name",
    "input_node",
    "output_node",
    "description",
    "timestamp",
]


@pytest.mark.parametrize("key", TEXTS)
@pytest.mark.parametrize("value", [1, None, True, ["a"], {"a": 1}])
def test_text_field_of_another_kind_is_named(key: str, value: object) -> None:
    with pytest.raises(BundleError, match=f"params.json: '{key}' must be a text"):
        params_from_json({"name": "m", key: value})


@pytest.mark.parametrize("key", ["model", "labels", "op"])
@pytest.mark.parametrize(
    "value", ["/etc/hostname", "../x", "a/b", "a\\b", ".hidden", "..", "a\0b"]
)
def test_file_field_that_leaves_the_folder_is_named(key: str, value: str) -> None:
    with pytest.raises(BundleError, match=f"'{key}' must name a file of the bundle"):
        params_from_json({"name": "m", key: value})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"img_channels": "1"}, "'img_channels' must be a whole number"),
    ({"img_channels": True}, "'img_channels' must be a whole number"),
    ({"img_channels": 1.0}, "'img_channels' must be a whole number"),
    ({"img_channels": None}, "'img_channels' must be a whole number"),
    ({"img_channels": 2}, "'img_channels' is 2; it must be"),
    ({"img_channels": -1}, "'img_channels' is -1; it must be"),
    ({"options": "a"}, "'options' must be a list of texts"),
    ({"options": [1]}, "'options' must be a list of texts"),
    ({"options": {}}, "'options' must be a list of texts"),
    ({"options": 0}, "'options' must be a list of texts"),
    ({"options": False}, "'options' must be a list of texts"),
    ({"features": "a"}, "'features' must be a list of texts"),
    ({"features": [1]}, "'features' must be a list of texts"),
    ({"features": {"a": 1}}, "'features' must be a list of texts"),
    ({"features": ["a", ""]}, "'features' must name each value of a row"),
    ({"features": ["a", "b", "a"]}, "'features' must name each value of a row"),
    ({"inputNode": 1}, "'inputNode' must be a text"),
    ({"outputNode": None}, "'outputNode' must be a text"),
    ({"preprocess": []}, "'preprocess' must be a JSON object"),
    ({"preprocess": "no"}, "'preprocess' must be a JSON object"),
    ({"preprocess": {"sclae": 1}}, "'preprocess' has an unknown key 'sclae'"),
    ({"preprocess": {"size": 28}}, "'preprocess.size' must be [height, width]"),
    ({"preprocess": {"size": [28]}}, "'preprocess.size' must be"),
    ({"preprocess": {"size": [28, 28, 1]}}, "'preprocess.size' must be"),
    ({"preprocess": {"size": [0, 28]}}, "'preprocess.size' must be"),
    ({"preprocess": {"size": [28, -1]}}, "'preprocess.size' must be"),
    ({"preprocess": {"size": [28, 16385]}}, "'preprocess.size' must be"),
    ({"preprocess": {"size": [28.0, 28]}}, "'preprocess.size' must be"),
    ({"preprocess": {"size": [True, True]}}, "'preprocess.size' must be"),
    ({"preprocess": {"scale": "1"}}, "'preprocess.scale' must be a number"),
    ({"preprocess": {"scale": None}}, "'preprocess.scale' must be a number"),
    ({"preprocess": {"scale": True}}, "'preprocess.scale' must be a number"),
    ({"preprocess": {"scale": math.nan}}, "'preprocess.scale' must be a number"),
    ({"preprocess": {"scale": math.inf}}, "'preprocess.scale' must be a number"),
    (
        {"preprocess": {"scale": 1e39}},
        "'preprocess.scale' must be a number that float32 holds",
    ),
    ({"preprocess": {"scale": 10**400}}, "'preprocess.scale' must be a number"),
    ({"preprocess": {"offset": [0]}}, "'preprocess.offset' must be a number"),
    ({"preprocess": {"offset": -1e39}}, "'preprocess.offset' must be a number"),
    ({"preprocess": {"resize": "area"}}, "'preprocess.resize' must be one of nearest"),
    ({"preprocess": {"resize": ["nearest"]}}, "'preprocess.resize' must be one of"),
    ({"ranges": [0, 1]}, "'ranges' must be a JSON object"),
    ({"ranges": {"ids": [9, 0]}}, "and does not for 'ids'"),
    ({"ranges": {"ids": [0]}}, "and does not for 'ids'"),
    ({"ranges": {"ids": [0, True]}}, "and does not for 'ids'"),
    ({"ranges": {"ids": "0:9"}}, "and does not for 'ids'"),
    ({"variant": "int4"}, "'variant' is 'int4'; it must be one of fp32, fp16, int8"),
    ({"variant": 8}, "'variant' must be a text"),
    ({"preprocess": {"invert": 1}}, "'preprocess.invert' must be true or false"),
    ({"preprocess": {"polarity": "dark"}}, "'preprocess.polarity' must be"),
    ({"preprocess": {"polarity": []}}, "'preprocess.polarity' must be"),
    (
        {"preprocess": {"polarity": "auto", "invert": True}},
        "'preprocess.polarity' finds out what 'preprocess.invert' tells",
    ),
    ({"preprocess": {"fit": [20, 20]}}, "'preprocess.fit' must be an object"),
    ({"preprocess": {"fit": {}}}, "'preprocess.fit' must be an object with 'box'"),
    ({"preprocess": {"fit": {"centre": "mass"}}}, "'preprocess.fit' must be"),
    (
        {"preprocess": {"fit": {"box": [20, 20], "canvas": [28, 28]}}},
        "'preprocess.fit' must be an object with 'box' and perhaps 'centre'",
    ),
    ({"preprocess": {"fit": {"box": 20}}}, "'preprocess.fit.box' must be"),
    ({"preprocess": {"fit": {"box": [20]}}}, "'preprocess.fit.box' must be"),
    ({"preprocess": {"fit": {"box": [0, 20]}}}, "'preprocess.fit.box' must be"),
    ({"preprocess": {"fit": {"box": [20, 1025]}}}, "at most 1024 each"),
    ({"preprocess": {"fit": {"box": [True, 20]}}}, "'preprocess.fit.box' must be"),
    (
        {"preprocess": {"fit": {"box": [20, 20], "centre": "middle"}}},
        "'preprocess.fit.centre' must be",
    ),
    ({"preprocess": {"fit": {"box": [1, 1], "centre": []}}}, "'preprocess.fit.centre'"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=lambda v: str(v)[:60])
def test_wrong_field_has_its_sentence(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BundleError) as caught:
        params_from_json({"name": "m", **wrong})
    assert sentence in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


known_key = st.sampled_from(
    [*TEXTS, "inputNode", "features", "img_channels", "options", "preprocess"]
)


known_detail = st.sampled_from(
    ["size", "scale", "offset", "resize", "invert", "polarity", "fit"]
)


near_miss = st.fixed_dictionaries(
    {"name": st.just("m")},
    optional={
        "preprocess": st.dictionaries(known_detail, anything),
        "img_channels": st.integers(-1, 4),
        "options": anything,
        "features": st.lists(st.text()) | anything,
        "inputNode": st.text(),
    },
)


@given(st.dictionaries(known_key | st.text(), anything) | near_miss)
@example({"name": "m", "preprocess": {"size": [[], {}]}})
def test_any_object_reads_or_is_refused_with_a_sentence(
    content: dict[str, Any],
) -> None:
    try:
        params = params_from_json(content)
    except BundleError as ex:
        assert str(ex).startswith("params.json")
        str(ex).encode()  # A reply can carry the sentence.
        return
    # Parameters that were accepted can be written and read again without a change.
    assert params_from_json(json.loads(json.dumps(params.to_json()))) == params
