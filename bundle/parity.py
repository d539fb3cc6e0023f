"""parity.json: the proof, beside model.onnx, that it answers as its source does.

Written by the exporter, read by the service: a model.onnx that is not the one that was
proved, or that failed, is not served.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bundle.errors import BundleError

FILE_NAME = "parity.json"


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
class Parity:
    """parity.json.

    Attributes:
        passed: model.onnx may be served.
        sha256: of the model.onnx that was compared.
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
        worst: the number that is farthest off; None where nothing was compared.
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
    max_logit_diff: float = 0.0
    share_of_spread: float = 0.0
    is_repeatable: bool = True
    worst: Worst | None = None

    def to_json(self) -> dict[str, Any]:
        """parity.json's content."""
        return asdict(self)


def read_parity(folder: Path) -> Parity | None:
    """Read a bundle's parity.json; None if there is none.

    Raises:
        BundleError: it is there and is not a parity report.
    """
    try:
        content = json.loads((folder / FILE_NAME).read_bytes())
        known = {f.name for f in fields(Parity)}
        values = {key: value for key, value in content.items() if key in known}
        cases = tuple(Case(**case) for case in values.pop("cases", []))
        if worst := values.pop("worst", None):
            values["worst"] = Worst(**{**worst, "element": tuple(worst["element"])})
        parity = Parity(**values, cases=cases)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as ex:
        raise BundleError(f"{FILE_NAME} is not a parity report") from ex
    if not isinstance(parity.passed, bool) or not isinstance(parity.sha256, str):
        raise BundleError(f"{FILE_NAME} is not a parity report")
    return parity
