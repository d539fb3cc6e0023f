"""params.json: a bundle's description of itself, with TFaaS's own key names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from bundle.bare import bare_name
from bundle.errors import BundleError
from bundle.variants import VARIANTS, Variant

FILE_NAME = "params.json"

# TFaaS allows [a-zA-Z0-9_]+, and users need dots and dashes too. A name is a folder of
# the store and a part of URLs, so it never begins with a dot and has no slash.
MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

# A params.json is a page of text, so no trainer writes a larger one.
MAX_BYTES = 1 << 20

# TFaaS's params are one level deep. The service's JSON writer takes 255 levels, and
# puts this content inside other JSON.
_MAX_DEPTH = 32

# TFaaS's first params.json, of 2018, had these names for its nodes.
EARLY_KEYS = {"inputNode": "input_node", "outputNode": "output_node"}

# TFaaS's params have these keys, and its lists of models have all of them.
TFAAS_KEYS = (
    "name",
    "model",
    "labels",
    "op",
    "input_name",
    "output_name",
    "img_channels",
    "options",
    "input_node",
    "output_node",
    "description",
    "timestamp",
)

# Pixels are scaled in float32 (IEEE 754 binary32), and this is its largest number.
_FLOAT32_MAX = (2 - 2**-23) * 2.0**127

Resize = Literal["nearest", "bilinear", "bicubic", "lanczos"]


# Scaling to a box of this side takes milliseconds.
_MAX_BOX = 1024


@dataclass(frozen=True)
class Fit:
    """The place of the ink in the model's input, as each digit of MNIST has it.

    Attributes:
        box: ``(height, width)`` in pixels; the ink is scaled until it fills one side.
        centre: the point of the ink that comes to the middle of the model's input: the
            centre of its mass, or of its box.
    """

    box: tuple[int, int]
    centre: Literal["mass", "box"] = "mass"


@dataclass(frozen=True)
class Preprocess:
    """The steps from a decoded image to the model's input.

    The default changes only the size: a bundle of this project scales inside the model,
    and TFaaS too gives raw pixels from 0 to 255 to a model.

    Attributes:
        size: ``(height, width)`` in pixels; null is the model's own input size.
        scale: every pixel is multiplied by this number.
        offset: this number is added after ``scale``.
        resize: the filter that is used when the size differs.
        invert: replace each pixel by ``255 - pixel`` before ``scale``, for pictures
            that are dark on white.
        polarity: with ``"auto"``, a gray picture is inverted if its ink is darker than
            its ground; null keeps it.
        fit: the ink of a gray picture is found, cleaned and brought to this box; null
            takes the whole picture.
    """

    size: tuple[int, int] | None = None
    scale: float = 1.0
    offset: float = 0.0
    resize: Resize = "bilinear"
    invert: bool = False
    polarity: Literal["auto"] | None = None
    fit: Fit | None = None

    def to_json(self) -> dict[str, Any]:
        """Make the content of the key ``preprocess``; defaults are left out."""
        default = asdict(Preprocess())
        content = {k: v for k, v in asdict(self).items() if v != default[k]}
        # JSON has no tuples.
        if self.size:
            content["size"] = [*self.size]
        if self.fit:
            content["fit"]["box"] = [*self.fit.box]
        return content


@dataclass(frozen=True)
class Params:
    """The checked content of params.json.

    Attributes:
        name: the model's name in the store and in requests.
        model: the file name of the SavedModel, or of a frozen graph.
        labels: the file name of the labels, one on each line; empty if there are none.
        op: the file name of the graph alone, for TFaaS; it is kept and not used.
        input_name: the graph operation that takes the input, without ``:0``.
        output_name: the graph operation that gives the output, without ``:0``.
        input_node: the input's name in the serving signature. For a frozen graph, the
            input's node, with or without ``:0``.
        output_node: the output's name or node, like ``input_node``.
        img_channels: 1 for gray, 3 for colour, 0 for a model that takes no images.
        features: the names of a row's values, in the order of the model's input; of a
            model with an input for each value, the names of the inputs.
        options: TFaaS's list of the model's options; it is kept and not used.
        description: a text for people.
        timestamp: the time at which the trainer wrote the bundle.
        preprocess: the steps from an image to the model's input.
        ranges: ``(least, greatest)`` number of an input, by the input's name. The
            exporter draws from this range, ends included, when it compares model.onnx
            with the model.
        variant: the variant of model.onnx that serves; empty leaves it to config.json.
        stored: the file's content as it was read, with the keys that this project does
            not know; empty if it was not read from a file.
    """

    name: str
    model: str = "saved_model.pb"
    labels: str = ""
    op: str = ""
    input_name: str = ""
    output_name: str = ""
    input_node: str = ""
    output_node: str = ""
    img_channels: int = 0
    features: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    description: str = ""
    timestamp: str = ""
    preprocess: Preprocess = Preprocess()
    variant: Variant | Literal[""] = ""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    stored: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Make the content of a params.json; empty values are left out."""
        content = asdict(self)
        del content["stored"]
        content["features"] = list(self.features)
        content["options"] = list(self.options)
        content["ranges"] = {name: [*ends] for name, ends in self.ranges.items()}
        content["preprocess"] = self.preprocess.to_json()
        return {
            key: value for key, value in content.items() if value not in ("", [], {})
        }

    def to_tfaas(self) -> dict[str, Any]:
        """Make the content with each of TFaaS's keys, also where it has no value."""
        content = {key: getattr(self, key) for key in TFAAS_KEYS}
        return {**content, "options": [*self.options], **self.stored}


def read_params(folder: Path) -> Params:
    """Read and check ``params.json`` of a bundle's folder.

    The name of a bare model (``bundle.bare``), which has no params.json, is its
    folder's.

    Raises:
        BundleError: it is missing, is no JSON object, or a field is wrong.
    """
    return params_from_json(read_stored(folder))


def read_stored(folder: Path) -> dict[str, Any]:
    """Read ``params.json`` of a bundle's folder as it is, its fields unchecked.

    For a bare model the content is its name alone.

    Raises:
        BundleError: it is missing, or is no JSON object.
    """
    try:
        with (folder / FILE_NAME).open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if name := bare_name(folder):
            return {"name": name}
        raise BundleError(
            f"{FILE_NAME} is missing, and there is neither saved_model.pb nor"
            " model.onnx, which could be served without it; 'runtime bundle FILE' makes"
            " a bundle of a model's file"
        ) from None
    except OSError as ex:
        raise BundleError(f"{FILE_NAME} cannot be read: {ex.strerror}") from ex
    if len(text) > MAX_BYTES:
        raise BundleError(f"{FILE_NAME} is larger than {MAX_BYTES} bytes")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as ex:
        raise BundleError(
            f"{FILE_NAME} is not JSON: it cannot be read at line {ex.lineno}, column"
            f" {ex.colno}"
        ) from ex
    except (ValueError, RecursionError) as ex:
        raise BundleError(
            f"{FILE_NAME} is not JSON in UTF-8, or is nested too deeply, or has a"
            " number of thousands of digits"
        ) from ex
    if not isinstance(content, dict):
        raise BundleError(f"{FILE_NAME} must hold one JSON object")
    return content


def write_params(folder: Path, params: Params) -> None:
    """Write ``params.json`` into a bundle's folder."""
    write_stored(folder, params.to_json())


def write_stored(folder: Path, content: Mapping[str, Any]) -> None:
    """Write ``params.json`` with a content that ``params_from_json`` has taken."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


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
