"""Convert and prove one specimen."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from bundle.params import Preprocess
from bundle.parity import Parity
from exporter.errors import ExportError
from exporter.onnx_model.convert import convert
from exporter.options import Options
from exporter.proof.parity import prove
from exporter.proof.ranges import index_ranges, traits_of
from exporter.proof.tolerance import tolerance_of
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions
from runtime.backends.saved_model import TensorFlowBackend
from runtime.errors import BackendError
from tests.zoo.specimen import Specimen


@dataclass(frozen=True)
class Outcome:
    """The result of a specimen's conversion.

    Attributes:
        refusal: the reason for a missing ONNX; empty if there is an ONNX.
        parity: the proof; None without an ONNX.
        size_bytes: the size of the ONNX.
        nodes: the number of operators in the ONNX.
    """

    refusal: str = ""
    parity: Parity | None = None
    size_bytes: int = 0
    nodes: int = 0


def run(
    specimen: Specimen, options: Options | None = None, *, timed_runs: int = 1
) -> Outcome:
    """Convert a specimen as ``exporter convert`` does, and prove the result.

    If cleaning has spoilt a model, it is converted once more without cleaning, as
    ``exporter convert`` does. More than one timed run is needed only to show the times
    of the two engines.
    """
    options = options or Options()
    reference = TensorFlowBackend(specimen.make())
    outcome = _run(specimen, reference, options, timed_runs)
    is_proved = outcome.parity is not None and outcome.parity.passed
    if not is_proved and options.clean:
        unclean = replace(options, clean=False)
        return _run(specimen, reference, unclean, timed_runs)
    return outcome


def check(outcome: Outcome, specimen: Specimen) -> None:
    """Check that a specimen was proved, or refused as it should be."""
    if specimen.refused:
        assert specimen.refused in outcome.refusal
        return
    assert not outcome.refusal
    assert outcome.parity is not None
    assert outcome.parity.passed, outcome.parity.worst


def _run(
    specimen: Specimen,
    reference: TensorFlowBackend,
    options: Options,
    timed_runs: int,
) -> Outcome:
    try:
        model = convert(reference.signature, options)
    except ExportError as ex:
        return Outcome(refusal=str(ex))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        onnx.save_model(model, path)
        try:
            candidate = open_onnx(path, BackendOptions(provider="cpu"))
            parity = prove(
                reference,
                candidate,
                path,
                Preprocess(),
                None,
                ranges={**index_ranges(model), **specimen.ranges},
                traits=traits_of(model),
                tolerance=tolerance_of(reference.signature),
                batch_sizes=specimen.batch_sizes,
                timed_runs=timed_runs,
            )
        except BackendError as ex:
            return Outcome(refusal=f"{ex}: {ex.__cause__}")
        except ExportError as ex:
            return Outcome(refusal=str(ex))
        return Outcome("", parity, path.stat().st_size, len(model.graph.node))
