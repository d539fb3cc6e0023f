"""The checks of a params.json's content: each wrong field has its sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from bundle.errors import BundleError
from bundle.params import (
    EARLY_KEYS,
    FILE_NAME,
    MODEL_NAME,
    Fit,
    Params,
    Preprocess,
    Resize,
)
from bundle.variants import VARIANTS

# TFaaS's params are one level deep. The service's JSON writer takes 255 levels, and
# puts this content inside other JSON.
_MAX_DEPTH = 32

# Pixels are scaled in float32 (IEEE 754 binary32), and this is its largest number.
_FLOAT32_MAX = (2 - 2**-23) * 2.0**127

# Scaling to a box of this side takes milliseconds.
_MAX_BOX = 1024


def params_from_json(content: Mapping[str, Any]) -> Params:
    """Check the content of a params.json.

    Raises:
        BundleError: a field is missing or of the wrong kind.
    """
    others = {"features", "options", "preprocess", "ranges", "stored"}
    known = {f.name for f in fields(Params)} - others
    values: dict[str, Any] = {}
    for key in known & content.keys():
        values[key] = (
            _whole(key, content[key])
            if key == "img_channels"
            else _text(key, content[key])
        )
    for early, key in EARLY_KEYS.items():
        if early in content and key not in values:
            values[key] = _text(early, content[early])
    name = values.get("name", "")
    if not MODEL_NAME.fullmatch(name):
        raise BundleError(
            f"{FILE_NAME}: 'name' is {name[:128]!r}; it must be 1 to 128 letters,"
            " digits, '_', '-' or '.', and not begin with '-' or '.'"
        )
    for key in ("model", "labels", "op"):
        _plain_file_name(key, values.get(key, ""))
    if values.get("img_channels", 0) not in (0, 1, 3):
        raise BundleError(
            f"{FILE_NAME}: 'img_channels' is {values['img_channels']}; it must be"
            " 1 (gray), 3 (colour) or 0 (takes no images)"
        )
    if values.get("variant", "") not in ("", *VARIANTS):
        raise BundleError(
            f"{FILE_NAME}: 'variant' is {values['variant'][:128]!r}; it must be one of"
            f" {', '.join(VARIANTS)}"
        )
    options = _texts("options", content.get("options"))
    features = _texts("features", content.get("features"))
    if not all(features) or len(set(features)) < len(features):
        raise BundleError(
            f"{FILE_NAME}: 'features' must name each value of a row, and none twice"
        )
    preprocess = _preprocess(content.get("preprocess"))
    ranges = _ranges(content.get("ranges"))
    if not _is_sendable(content, _MAX_DEPTH):
        # One such file would break every list of models that contains it.
        raise BundleError(
            f"{FILE_NAME} holds a value that JSON cannot carry on: NaN or infinity, an"
            " integer beyond 64 bits, half a surrogate pair, or lists in lists in lists"
        )
    return Params(
        **values,
        features=features,
        options=options,
        preprocess=preprocess,
        ranges=ranges,
        stored=content,
    )


def _preprocess(content: object) -> Preprocess:
    if content is None:
        return Preprocess()
    if not isinstance(content, dict):
        raise BundleError(f"{FILE_NAME}: 'preprocess' must be a JSON object")
    known = {f.name for f in fields(Preprocess)}
    if unknown := sorted(content.keys() - known):
        raise BundleError(
            f"{FILE_NAME}: 'preprocess' has an unknown key {unknown[0]!r};"
            f" it knows {', '.join(sorted(known))}"
        )
    values = dict(content)
    size = values.get("size")
    if size is not None:
        if (
            not isinstance(size, list)
            or len(size) != 2
            or not all(type(n) is int and 0 < n <= 16384 for n in size)
        ):
            raise BundleError(
                f"{FILE_NAME}: 'preprocess.size' must be [height, width] in pixels"
            )
        values["size"] = (size[0], size[1])
    for key in ("scale", "offset"):
        number = values.get(key, 0.0)
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            # NaN is in no range, so it is refused too.
            or not -_FLOAT32_MAX <= number <= _FLOAT32_MAX
        ):
            raise BundleError(
                f"{FILE_NAME}: 'preprocess.{key}' must be a number that float32 holds"
            )
    if values.get("resize", "bilinear") not in get_args(Resize):
        raise BundleError(
            f"{FILE_NAME}: 'preprocess.resize' must be one of"
            f" {', '.join(get_args(Resize))}"
        )
    if not isinstance(values.get("invert", False), bool):
        raise BundleError(f"{FILE_NAME}: 'preprocess.invert' must be true or false")
    if values.get("polarity") not in (None, "auto"):
        raise BundleError(
            f"{FILE_NAME}: 'preprocess.polarity' must be \"auto\" or null"
        )
    if values.get("polarity") and values.get("invert"):
        raise BundleError(
            f"{FILE_NAME}: 'preprocess.polarity' finds out what 'preprocess.invert'"
            " tells; leave one of them out"
        )
    values["fit"] = _fit(values.get("fit"))
    return Preprocess(**values)


def _fit(content: object) -> Fit | None:
    if content is None:
        return None
    if not isinstance(content, dict) or not {"box"} <= content.keys() <= {
        "box",
        "centre",
    }:
        raise BundleError(
            f"{FILE_NAME}: 'preprocess.fit' must be an object with 'box' and perhaps"
            " 'centre', and no other key"
        )
    box, centre = content["box"], content.get("centre", "mass")
    if (
        not isinstance(box, list)
        or len(box) != 2
        or not all(type(n) is int and 0 < n <= _MAX_BOX for n in box)
    ):
        raise BundleError(
            f"{FILE_NAME}: 'preprocess.fit.box' must be [height, width] in pixels, at"
            f" most {_MAX_BOX} each"
        )
    if centre not in ("mass", "box"):
        raise BundleError(
            f'{FILE_NAME}: \'preprocess.fit.centre\' must be "mass" or "box"'
        )
    return Fit((box[0], box[1]), centre)


def _ranges(content: object) -> dict[str, tuple[float, float]]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BundleError(f"{FILE_NAME}: 'ranges' must be a JSON object")
    for name, ends in content.items():
        if (
            not isinstance(ends, list)
            or len(ends) != 2
            or not all(type(end) in (int, float) for end in ends)
            or not -_FLOAT32_MAX <= ends[0] <= ends[1] <= _FLOAT32_MAX
        ):
            raise BundleError(
                f"{FILE_NAME}: 'ranges' must give [least, greatest] for each input, and"
                f" does not for {name[:128]!r}"
            )
    return {name: (low, high) for name, (low, high) in content.items()}


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise BundleError(f"{FILE_NAME}: {key!r} must be a text")
    return value


def _texts(key: str, value: object) -> tuple[str, ...]:
    if value is None:  # Go writes null for an empty list
        return ()
    if not isinstance(value, list) or not all(isinstance(o, str) for o in value):
        raise BundleError(f"{FILE_NAME}: {key!r} must be a list of texts")
    return tuple(value)


def _whole(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BundleError(f"{FILE_NAME}: {key!r} must be a whole number")
    return value


def _is_sendable(value: object, depth: int) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 64
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return depth > 0 and all(_is_sendable(item, depth - 1) for item in value)
    return True


def _plain_file_name(key: str, value: str) -> None:
    # The service opens these files. A path would let a bundle name any file of the
    # disk.
    if value and (value.startswith(".") or re.search(r"[/\\\x00]", value)):
        raise BundleError(
            f"{FILE_NAME}: {key!r} must name a file of the bundle, without a folder"
        )
