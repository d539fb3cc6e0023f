from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import BundleError
from bundle.parity import Case, Parity, Trial, Worst, read_parity

REPORT: dict[str, Any] = {
    "passed": True,
    "sha256": "ba78",
    "atol": 1e-6,
    "rtol": 1e-5,
    "max_abs_diff": 2e-7,
    "max_rel_diff": 3e-6,
    "top1_agreement": 1.0,
    "samples": 40,
    "milliseconds_per_image": {"onnxruntime": 0.2, "tensorflow": 1.5},
    "versions": {"onnx": "1.23.2"},
    "created": "2026-01-02T03:04:05Z",
    "cases": [
        {
            "inputs": "sample",
            "batch_size": 8,
            "samples": 40,
            "max_abs_diff": 2e-7,
            "max_rel_diff": 3e-6,
            "top1_agreement": 1.0,
            "passed": True,
            "max_logit_diff": 0.0,
        }
    ],
    "saved_model": "f00d",
    "source": "mnist",
    "trial": None,
    "max_logit_diff": 0.0,
    "share_of_spread": 1e-6,
    "is_repeatable": True,
    "worst": {
        "inputs": "sample",
        "batch_size": 8,
        "batch": 4,
        "output": "scores",
        "element": [3, 1],
        "expected": 0.5,
        "answered": 0.5000002,
    },
    "differences": {"0": 3, "1e-06": 2},
    "milliseconds_by_batch": {"8": {"onnxruntime": 0.4, "tensorflow": 2.5}},
}
WRITTEN = Parity(
    passed=True,
    sha256="ba78",
    atol=1e-6,
    rtol=1e-5,
    max_abs_diff=2e-7,
    max_rel_diff=3e-6,
    top1_agreement=1.0,
    samples=40,
    milliseconds_per_image={"onnxruntime": 0.2, "tensorflow": 1.5},
    versions={"onnx": "1.23.2"},
    created="2026-01-02T03:04:05Z",
    cases=(Case("sample", 8, 40, 2e-7, 3e-6, 1.0, True),),
    saved_model="f00d",
    source="mnist",
    share_of_spread=1e-6,
    worst=Worst("sample", 8, 4, "scores", (3, 1), 0.5, 0.5000002),
    differences={"0": 3, "1e-06": 2},
    milliseconds_by_batch={"8": {"onnxruntime": 0.4, "tensorflow": 2.5}},
)
NEEDED = ["passed", "sha256", "atol", "rtol", "max_abs_diff", "samples"]


def read(folder: Path, content: object) -> Parity | None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "parity.json").write_bytes(data)
    return read_parity(folder)


def test_report_reads(tmp_path: Path) -> None:
    assert read(tmp_path, REPORT) == WRITTEN


def test_report_is_written_under_its_documented_keys() -> None:
    assert json.loads(json.dumps(WRITTEN.to_json())) == REPORT


def test_bundle_without_a_report_has_none(tmp_path: Path) -> None:
    assert read_parity(tmp_path) is None


def test_failed_report_reads_as_failed(tmp_path: Path) -> None:
    parity = read(tmp_path, {**REPORT, "passed": False})
    assert parity is not None
    assert parity.passed is False


def test_key_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, {**REPORT, "gpu": "H100"}) == WRITTEN


def test_report_without_details_reads(tmp_path: Path) -> None:
    few = {k: v for k, v in REPORT.items() if k not in ("cases", "versions")}
    parity = read(tmp_path, few)
    assert parity is not None
    assert (parity.cases, parity.versions) == ((), {})


@pytest.mark.parametrize("key", NEEDED)
def test_report_without_a_needed_key_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(BundleError, match=r"parity\.json is not a parity report"):
        read(tmp_path, {k: v for k, v in REPORT.items() if k != key})


WRONG: dict[str, object] = {
    "empty": b"",
    "cut": json.dumps(REPORT).encode()[:-10],
    "latin-1": b'{"created": "\xe9"}',
    "deep": b"[" * 100_000,
    "list": [REPORT],
    "null": None,
    "text": "passed",
    # Any text is true in Python: "false" must never let a model be served.
    "passed-is-text": {**REPORT, "passed": "false"},
    "passed-is-one": {**REPORT, "passed": 1},
    "passed-is-null": {**REPORT, "passed": None},
    "sha256-is-null": {**REPORT, "sha256": None},
    "sha256-is-list": {**REPORT, "sha256": ["ba78"]},
    "cases-null": {**REPORT, "cases": None},
    "cases-number": {**REPORT, "cases": 1},
    "case-null": {**REPORT, "cases": [None]},
    "case-without-keys": {**REPORT, "cases": [{}]},
    "case-of-text": {**REPORT, "cases": ["passed"]},
    # The service shows the values to clients, formatted.
    "difference-is-text": {**REPORT, "max_abs_diff": "2e-7"},
    "difference-is-null": {**REPORT, "max_abs_diff": None},
    "difference-is-huge": {**REPORT, "max_abs_diff": 10**400},
    # Every request for a model's description reads each of them.
    "large": json.dumps({**REPORT, "gpu": "H" * (1 << 20)}).encode(),
    "deep-inside": {**REPORT, "versions": json.loads("[" * 500 + "]" * 500)},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_report_is_refused(tmp_path: Path, case: str) -> None:
    with pytest.raises(BundleError, match=r"parity\.json is not a parity report"):
        read(tmp_path, WRONG[case])


def test_report_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parity.json").mkdir()
    with pytest.raises(BundleError, match=r"parity\.json is not a parity report"):
        read_parity(tmp_path)


TRIAL = Trial(
    measure="accuracy",
    items=46,
    fp32=0.98,
    variant=0.979,
    drop=0.1,
    calibrated_on="24 of the 70 of sample.npz",
    provider="CPUExecutionProvider",
    milliseconds={"1": {"fp32": 0.4, "variant": 0.2}},
    speed=0.5,
)


def test_a_variants_report_is_read_from_its_own_file(tmp_path: Path) -> None:
    tried = replace(WRITTEN, trial=TRIAL)
    (tmp_path / "parity.int8.json").write_text(json.dumps(tried.to_json()))
    assert read_parity(tmp_path, "parity.int8.json") == tried
    assert read_parity(tmp_path) is None
    assert read_parity(tmp_path, "parity.fp16.json") is None


def test_a_variants_report_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "parity.fp16.json").write_text(
        json.dumps({**REPORT, "trial": {"n": 1}})
    )
    with pytest.raises(BundleError, match=r"parity\.fp16\.json is not a parity report"):
        read_parity(tmp_path, "parity.fp16.json")
