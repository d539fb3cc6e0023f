"""parity.json: the proof that model.onnx answers as its source does.

The exporter writes it beside model.onnx, and the service reads it. The service does not
serve a model.onnx that failed the proof, or that is not the file that was proved. A
variant has a proof of its own: ``parity.int8.json`` is beside ``model.int8.onnx``.
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

# A report has some kilobytes, so no exporter writes a larger one.
MAX_BYTES = 1 << 20
# A report holds lists of objects of texts, which is far less deep.
_MAX_DEPTH = 16


@dataclass(frozen=True)
class Case:
    """The comparison of one kind of input at one batch size.

    Attributes:
        inputs: the kind of input: ``sample``, ``random``, ``zeros``, …
        batch_size: N, the number of items in a batch.
        samples: the number of items compared in all.
        max_abs_diff: the largest ``|onnx - tensorflow|`` over all outputs.
        max_rel_diff: the largest ``|onnx - tensorflow| / |tensorflow|`` over the values
            above the absolute tolerance. Below it, the absolute difference decides.
        max_logit_diff: the largest difference of the logarithms of probabilities, if an
            output holds probabilities. These logarithms are the logits plus one
            constant for each row.
        top1_agreement: the share of items whose best class is the same, 0..1.
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
    """The one number that differs most, measured in its tolerance.

    Attributes:
        inputs: the kind of input of its case.
        batch_size: the batch size of its case.
        batch: the number of its batch in the case, from 0; every run makes the same
            batches.
        output: the output's name.
        element: its place in the output, ``(item, …)``.
        expected: TensorFlow's answer.
        answered: ONNX Runtime's answer.
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
    """The comparison of a variant with the float32 model.onnx that it was made from.

    Attributes:
        measure: the meaning of ``fp32`` and ``variant``. It is ``accuracy`` on labelled
            images, or ``top-1``, the share of items with fp32's best class, or ``R2``,
            the share of the variance of fp32's answers, if there are no classes.
        items: the number of items that were measured.
        fp32: the measure of model.onnx, 0..1; it is 1 if answers are compared with
            those of model.onnx itself.
        variant: the measure of the variant, 0..1.
        drop: the loss from ``fp32`` to ``variant``, in percentage points.
        calibrated_on: the data that gave the ranges of int8; empty for fp16.
        provider: ONNX Runtime's execution provider that ran both.
        milliseconds: the median time of one run by batch size, for ``fp32`` and
            ``variant``.
        speed: the largest ratio variant / fp32 in ``milliseconds``; above 1 the variant
            is slower. None if the speed could not be judged.
        remark: the reason why the speed could not be judged; else empty.
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
    """The content of parity.json.

    Attributes:
        passed: model.onnx may be served.
        sha256: the digest of the model.onnx that was compared, and of its data; see
            ``bundle.manifest.onnx_digest``.
        saved_model: the digest of the SavedModel or frozen graph that it was compared
            with, see ``bundle.manifest.source_digest``; empty if it was not noted.
        atol: the absolute tolerance.
        rtol: the relative tolerance.
        share_of_spread: the largest difference, divided by the spread of TensorFlow's
            own answers.
        is_repeatable: the ONNX gave the same answer when it was asked once more.
        milliseconds_per_image: the time by engine, at batch size 1.
        versions: the versions of all libraries that took part.
        differences: the number of compared numbers by ``|onnx - tensorflow|``. A key is
            the largest difference of its numbers, and the key before it the bound that
            they exceed: ``0`` counts equal numbers, ``1e-06`` those above 1e-07 and up
            to 1e-06, and ``more`` those beyond the last bound.
        milliseconds_by_batch: the median time of one run of the whole batch, by the
            batch size and by engine; empty if it was not measured.
        created: the time, UTC, in ISO 8601.
        source: the exporter's name for the source, such as ``mnist`` or a file's name;
            empty if it was not noted.
        worst: the number that differs most; None if nothing was compared.
        trial: the comparison of a variant with model.onnx; None for model.onnx itself.
            For int8 the trial alone decides, and the cases are only for people to read.
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
    differences: Mapping[str, int] = field(default_factory=dict)
    milliseconds_by_batch: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict
    )

    def to_json(self) -> dict[str, Any]:
        """Make the content of parity.json."""
        return asdict(self)


def read_parity(folder: Path, name: str = FILE_NAME) -> Parity | None:
    """Read a bundle's parity.json, or the proof called ``name``; None if not there.

    Raises:
        BundleError: the file is there and is not a parity report.
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
    # Somebody may have changed it by hand, and clients are shown its content.
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
