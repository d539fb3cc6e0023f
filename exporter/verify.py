"""``exporter verify``: is what lies there what was proved, and does it still hold?"""

from __future__ import annotations

from dataclasses import dataclass

from bundle.errors import BundleError
from bundle.manifest import onnx_digest, verify_manifest
from bundle.parity import Parity
from exporter.child import Limits, Tell, run_in_child
from exporter.conversion import compare
from exporter.destination import Destination
from exporter.errors import ExportError, NoOnnx
from exporter.reference import open_reference
from exporter.source import Source


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        faults: sentences: files that are not those that were proved, a proof that
            failed; none if all is well.
        parity: of the comparison that was made now.
    """

    faults: tuple[str, ...]
    parity: Parity


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
    """Compare an ONNX with its source anew, in a child process; nothing is written.

    Raises:
        NoOnnx: there is none to verify.
        SourceError: the source is no model that can be loaded.
        ExportError: one of the two cannot be loaded or run.
    """
    check_there(destination)
    try:
        faults = _faults(source, destination)
    except OSError as ex:
        raise ExportError(f"the files cannot be read: {ex.strerror}") from ex
    order = _Order(source, destination)
    parity = run_in_child(_compare, order, limits=limits, tell=tell, verbose=verbose)
    if not parity.passed:
        faults.append(
            f"{destination.model.name} answers otherwise than TensorFlow: largest"
            f" difference {parity.max_abs_diff:.3g}, same best class"
            f" {parity.top1_agreement:.2%}"
        )
    return Verdict(tuple(faults), parity)


def check_there(destination: Destination) -> None:
    """See that there is an ONNX.

    Raises:
        NoOnnx: there is none.
    """
    if not destination.model.is_file():
        raise NoOnnx(f"there is no {destination.model}; make it with: exporter convert")


def _compare(order: _Order, tell: Tell) -> Parity:
    tell("loading")
    reference = open_reference(order.source)
    digest = order.source.digest()
    return compare(order.source, reference, order.destination.model, digest, tell)


def _faults(source: Source, destination: Destination) -> list[str]:
    """Whether every file is the one that was written and proved."""
    faults = []
    model, proof_name = destination.model.name, destination.proof.name
    try:
        if source.bundle is not None:
            verify_manifest(source.bundle.path)
    except BundleError as ex:
        faults.append(str(ex))
    try:
        proof = destination.read_proof()
    except BundleError as ex:
        return [*faults, str(ex)]
    if proof is None:
        return [
            *faults,
            f"there is no {proof_name}: nothing says that {model} was proved",
        ]
    if not proof.passed:
        faults.append(f"{proof_name} says that {model} failed its parity check")
    if proof.sha256 != onnx_digest(destination.model):
        faults.append(f"{model}, or its data, is not the file that {proof_name} proved")
    if proof.saved_model and proof.saved_model != source.digest():
        faults.append(f"{model} was proved against another {source.graph.name}")
    return faults
