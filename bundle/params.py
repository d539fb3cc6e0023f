"""The content of params.json: a bundle's description of itself, in TFaaS's own names.

``params_checks`` checks the content, and ``params_file`` reads and writes the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bundle.variants import Variant

FILE_NAME = "params.json"

# TFaaS allows [a-zA-Z0-9_]+, and users need dots and dashes too. A name is a folder of
# the store and a part of URLs, so it never begins with a dot and has no slash.
MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

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

Resize = Literal["nearest", "bilinear", "bicubic", "lanczos"]


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
