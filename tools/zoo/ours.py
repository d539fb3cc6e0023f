"""The exporter's attempt at a model of the zoo."""

from __future__ import annotations

from exporter.errors import ExportError, describe
from exporter.proof.parity import TIMED_RUNS
from tests.zoo.run import run
from tests.zoo.specimen import Specimen
from tools.zoo.row import PROVED, REFUSED, WRONG, Attempt


def attempt(specimen: Specimen) -> Attempt:
    """Convert a specimen as ``exporter convert`` does, and prove it."""
    try:
        outcome = run(specimen, timed_runs=TIMED_RUNS)
    except ExportError as ex:  # the proof found that two runs of TensorFlow differ
        return Attempt(REFUSED, str(ex))
    parity = outcome.parity
    if parity is None:
        return Attempt(REFUSED, outcome.refusal)
    milliseconds = parity.milliseconds_per_image
    return Attempt(
        PROVED if parity.passed else WRONG,
        "" if parity.passed else describe(parity),
        parity.max_abs_diff,
        milliseconds["tensorflow"],
        milliseconds["onnxruntime"],
        outcome.size_bytes,
    )
