"""``exporter verify``: is this the proved ONNX, and does its proof still hold?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from bundle.errors import BundleError
from bundle.manifest import onnx_digest, verify_manifest
from bundle.params import Preprocess
from bundle.parity import Parity
from bundle.variants import VARIANTS
from exporter.child.run import Limits, Tell, run_in_child
from exporter.conversion import compare, known_of, open_settled
from exporter.destination import Destination
from exporter.errors import ExportError, describe
from exporter.proof.parity import worst_input
from exporter.sources.source import Source
from exporter.sources.trust import check_candidate
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions


@dataclass(frozen=True)
class Verdict:
    """The result of a verification.

    Attributes:
        faults: sentences about files that differ from the proved ones, or about a proof
            that failed; empty if everything is right.
        parity: the comparison that was made now.
        worst: the batch with the largest difference and both answers, as arrays
            ``(N, …)`` in the model's dtypes, by ``input/NAME``, ``expected/NAME`` and
            ``answered/NAME``.
    """

    faults: tuple[str, ...]
    parity: Parity
    worst: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Order:
    source: Source
    destination: Destination


def verify(
    source: Source,
    destination: Destination,
    *,
    limits: Limits,
    tell: Tell,
    verbose: bool = False,
) -> Verdict:
    """Compare an ONNX with its source again, in a child process; nothing is written.

    Raises:
        NoOnnx: there is no ONNX to verify.
        SourceError: the source is no model that can be loaded.
        ExportError: the source or the ONNX cannot be loaded or run.
    """
    destination.check_there()
    try:
        faults = _damaged(source)
        for variant in VARIANTS:
            place = destination.of_variant(variant)
            if variant == "fp32" or place.model.is_file():
                faults += _faults(source, place)
    except OSError as ex:
        raise ExportError(f"the files cannot be read: {ex.strerror}") from ex
    order = _Order(source, destination)
    parity, worst = run_in_child(
        _compare,
        order,
        limits=limits,
        tell=tell,
        verbose=verbose,
        reads=[source.given, destination.model, destination.data],
    )
    if not parity.passed:
        faults.append(
            f"{destination.model.name} answers otherwise than TensorFlow:"
            f" {describe(parity)}"
        )
    return Verdict(tuple(faults), parity, worst)


def _compare(order: _Order, tell: Tell) -> tuple[Parity, dict[str, NDArray[Any]]]:
    tell("loading")
    check_candidate(order.source, order.destination.model)
    settled = open_settled(order.source, tell)
    reference = settled.reference
    digest = order.source.digest()
    path = order.destination.model
    parity = compare(order.source, settled, path, digest, tell)
    if parity.worst is None:
        return parity, {}
    bundle = order.source.bundle
    batch = worst_input(
        reference,
        parity.worst,
        bundle.params.preprocess if bundle else Preprocess(),
        order.source.read_sample(),
        *known_of(order.source, path),
        settled.lengths,
    )
    candidate = open_onnx(path, BackendOptions(provider="cpu"))
    arrays = {
        "input": batch,
        "expected": reference.run(batch),
        "answered": candidate.run(batch),
    }
    return parity, {
        f"{what}/{name}": array
        for what, by_name in arrays.items()
        for name, array in by_name.items()
    }


def _damaged(source: Source) -> list[str]:
    """The ways in which the bundle differs from its manifest."""
    try:
        if source.bundle is not None:
            verify_manifest(source.bundle.path)
    except BundleError as ex:
        return [str(ex)]
    return []


def _faults(source: Source, destination: Destination) -> list[str]:
    """The ways in which an ONNX differs from the one that was written and proved."""
    faults = []
    model, proof_name = destination.model.name, destination.proof.name
    try:
        proof = destination.read_proof()
    except BundleError as ex:
        return [str(ex)]
    if proof is None:
        return [f"there is no {proof_name}: nothing says that {model} was proved"]
    if not proof.passed:
        faults.append(f"{proof_name} says that {model} failed its parity check")
    if proof.sha256 != onnx_digest(destination.model):
        faults.append(f"{model}, or its data, is not the file that {proof_name} proved")
    if proof.saved_model and proof.saved_model != source.digest():
        faults.append(f"{model} was proved against another {source.graph.name}")
    return faults
