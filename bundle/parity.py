"""parity.json: the proof, beside model.onnx, that it answers as its source does.

A variant has its own: ``parity.int8.json`` is beside ``model.int8.onnx``.

Written by the exporter, read by the service: a model.onnx that is not the one that was
proved, or that failed, is not served.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bundle.errors import BundleError
from bundle.variants import parity_file

FILE_NAME = parity_file()

# A report is some kilobytes; what is larger was not written by any exporter.
MAX_BYTES = 1 << 20
# It has lists of objects of texts.
_MAX_DEPTH = 16


@dataclass(frozen=True)
class Case:
    """One kind of input, compared at one batch size.

    Attributes:
        inputs: what was fed: ``sample``, ``random``, ``zeros``, …
        batch_size: N, items a batch.
        samples: items compared in all.
        max_abs_diff: largest ``|onnx - tensorflow|`` over all outputs.
        max_rel_diff: largest ``|onnx - tensorflow| / |tensorflow|``, of the values
            above the absolute tolerance; below it that one decides.
        max_logit_diff: largest difference of the logarithms of probabilities, where an
            output is such; they are the logits but for a constant a row.
        top1_agreement: share of items whose best class is the same, 0..1.
        passed: every value is within ``atol + rtol * |tensorflow|`` and every best
            class is the same.
    """

    inputs: str
    batch_size: int
    samples: int
    max_abs_diff: float
    max_rel_diff: float
    top1_agreement: float
    passed: bool
    max_logit_diff: float = 0.0


@dataclass(frozen=True)
class Worst:
    """The one number that is farthest from what it should be, by its tolerance.

    Attributes:
        inputs: the case's.
        batch_size: the case's.
        batch: which of the case's batches, from 0; they are the same each time.
        output: the output's name.
        element: where in the output, ``(item, …)``.
        expected: what TensorFlow answered.
        answered: what ONNX Runtime answered.
    """

    inputs: str
    batch_size: int
    batch: int
    output: str
    element: tuple[int, ...]
    expected: float
    answered: float


@dataclass(frozen=True)
class Trial:
    """How a variant did against the float32 model.onnx that it was made from.

    Attributes:
        measure: what ``fp32`` and ``variant`` are: ``accuracy`` on labelled images;
            ``top-1``, the share of fp32's best classes; or ``R2``, the share of the
            variance of fp32's answers, where there are no classes.
        items: that it was measured on.
        fp32: the measure of model.onnx, 0..1; 1 if it is what is compared with.
        variant: the same of the variant.
        drop: what was lost, in percentage points.
        calibrated_on: what the ranges of int8 were taken from; empty of fp16.
        provider: ONNX Runtime's, that both were run on.
        milliseconds: of one run, the median, by batch size: ``fp32`` and ``variant``.
        speed: the largest of the ratios variant : fp32 in ``milliseconds``; above 1 it
            is slower. None if it could not be judged.
        remark: why not; else empty.
    """

    measure: str
    items: int
    fp32: float
    variant: float
    drop: float
    calibrated_on: str
    provider: str
    milliseconds: Mapping[str, Mapping[str, float]]
    speed: float | None
    remark: str = ""


@dataclass(frozen=True)
class Parity:
    """parity.json.

    Attributes:
        passed: model.onnx may be served.
        sha256: of the model.onnx that was compared, and its data; see
            ``bundle.manifest.onnx_digest``.
        saved_model: digest of the SavedModel or frozen graph that it was compared
            with, see ``bundle.manifest.source_digest``; empty if that was not noted.
        atol: absolute tolerance.
        rtol: relative tolerance.
        share_of_spread: the largest difference, as a share of how far apart
            TensorFlow's own answers are.
        is_repeatable: the ONNX answered the same when it was asked once more.
        milliseconds_per_image: by engine, at batch size 1.
        versions: of every library that took part.
        created: UTC, ISO 8601.
        source: what it was made from, as the exporter calls it: ``mnist``, a file's
            name; empty if that was not noted.
        worst: the number that is farthest off; None where nothing was compared.
        trial: of a variant, how it did against model.onnx; None of model.onnx. Of int8
            it alone decides, and the cases are for people to read.
    """

    passed: bool
    sha256: str
    atol: float
    rtol: float
    max_abs_diff: float
    max_rel_diff: float
    top1_agreement: float
    samples: int
    milliseconds_per_image: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    cases: tuple[Case, ...] = ()
    saved_model: str = ""
    source: str = ""
    max_logit_diff: float = 0.0
    share_of_spread: float = 0.0
    is_repeatable: bool = True
    worst: Worst | None = None
    trial: Trial | None = None

    def to_json(self) -> dict[str, Any]:
        """parity.json's content."""
        return asdict(self)


def read_parity(folder: Path, name: str = FILE_NAME) -> Parity | None:
    """Read a bundle's parity.json, or another proof there; None if there is none.

    Raises:
        BundleError: it is there and is not a parity report.
    """
    try:
        with (folder / name).open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError
        content = json.loads(text)
        known = {f.name for f in fields(Parity)}
        values = {key: value for key, value in content.items() if key in known}
        cases = tuple(Case(**case) for case in values.pop("cases", []))
        if worst := values.pop("worst", None):
            values["worst"] = Worst(**{**worst, "element": tuple(worst["element"])})
        if trial := values.pop("trial", None):
            values["trial"] = Trial(**trial)
        parity = Parity(**values, cases=cases)
    except FileNotFoundError:
        return None
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as ex:
        raise BundleError(f"{name} is not a parity report") from ex
    # It may have been changed by hand, and clients are shown what it says.
    if (
        not isinstance(parity.passed, bool)
        or not isinstance(parity.sha256, str)
        or not isinstance(parity.max_abs_diff, float | int)
        or abs(parity.max_abs_diff) > sys.float_info.max
        or _is_deeper(content, _MAX_DEPTH)
    ):
        raise BundleError(f"{name} is not a parity report")
    return parity


def _is_deeper(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        return not depth or any(_is_deeper(item, depth - 1) for item in value)
    return False
