"""Source -> a model and its proof in a scratch folder: the child process's work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from bundle.manifest import onnx_digest
from bundle.params import Preprocess
from bundle.parity import Parity
from bundle.variants import DATA
from exporter.child import Tell
from exporter.draws import Lengths, Ranges, Traits
from exporter.errors import ExportError, NotDrawn, SourceError
from exporter.lengths import describe, find_lengths, with_shapes
from exporter.metadata import write_metadata
from exporter.options import Options
from exporter.parity import prove
from exporter.ranges import index_ranges, traits_of
from exporter.reference import open_reference
from exporter.source import Source
from exporter.variants import Made, make_variants
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions
from runtime.backends.saved_model import TensorFlowBackend
from runtime.errors import BackendError


@dataclass(frozen=True)
class Order:
    """What the child is to do.

    Attributes:
        source: what is converted.
        options: how.
        candidate: the file to write, under its final name, in a scratch folder.
        max_inside: bytes of weights above which they go into a file of their own; None
            is what TensorFlow and protobuf can hold.
    """

    source: Source
    options: Options
    candidate: Path
    max_inside: int | None = None


@dataclass(frozen=True)
class Converted:
    """What lies in the scratch folder.

    Attributes:
        parity: the proof of the model.
        variants: of it, that were asked for; none if it is not proved.
    """

    parity: Parity
    variants: tuple[Made, ...] = ()


def convert_and_prove(order: Order, tell: Tell) -> Converted:
    """Convert a source, write the ONNX to ``order.candidate``, and compare the two.

    The graph is cleaned first; where that has broken it, it is written as tf2onnx made
    it.

    Raises:
        SourceError: the source is no model that can be loaded.
        ExportError: it cannot be converted, or its ONNX cannot run.
        OSError: the scratch folder is full.
    """
    # Before it is read: whoever replaces it meanwhile is noticed at the end.
    digest = order.source.digest()
    tell("loading")
    settled = open_settled(order.source, tell)
    options = order.options
    try:
        parity = _convert(order, options, settled, digest, tell)
        is_proved = parity.passed
    except NotDrawn:
        raise
    except ExportError:
        if not options.clean:
            raise
        is_proved = False
    if not is_proved and options.clean:
        options = replace(options, clean=False)
        parity = _convert(order, options, settled, digest, tell)
    if not parity.passed or not options.variants:
        return Converted(parity)
    tell("making variants")
    bundle = order.source.bundle
    variants = make_variants(
        order.candidate,
        settled.reference,
        options,
        bundle.read_sample() if bundle else None,
        bundle.params if bundle else None,
        order.candidate.parent,
        digest,
        *known_of(order.source, order.candidate),
        settled.lengths,
    )
    return Converted(
        parity,
        tuple(
            replace(made, parity=replace(made.parity, source=order.source.name))
            if made.parity
            else made
            for made in variants
        ),
    )


def _convert(
    order: Order,
    options: Options,
    settled: Settled,
    digest: str,
    tell: Tell,
) -> Parity:
    # Here: they import TensorFlow, and the parent reads this file too.
    from exporter.convert import convert
    from exporter.lowering import LARGE_BYTES

    model = convert(
        settled.reference.signature,
        options,
        tell,
        LARGE_BYTES if order.max_inside is None else order.max_inside,
        order.candidate.with_name(order.candidate.name + DATA),
    )
    write_metadata(model, options, order.source.bundle, order.source.version)
    tell("writing")
    onnx.save(model, order.candidate)
    return compare(order.source, settled, order.candidate, digest, tell)


@dataclass(frozen=True)
class Settled:
    """A source, loaded, with shapes that it takes.

    Attributes:
        reference: the source; its inputs have the shapes that were given, and those
            that were found where an axis takes one length alone.
        lengths: see ``exporter.draws.draws``.
    """

    reference: TensorFlowBackend
    lengths: Lengths


def open_settled(source: Source, tell: Tell) -> Settled:
    """Load a source, and find lengths for the axes that its signature leaves free.

    Raises:
        SourceError: the source is no model that can be loaded, or has no input of which
            a shape was given.
        NotDrawn: no length of those that were tried is taken.
        ExportError: TensorFlow cannot load or run it.
    """
    reference = open_reference(source)
    try:
        reference = with_shapes(reference, source.shapes)
        found = find_lengths(reference, source.ranges)
        if found.fixed:
            tell(f"fixing: {describe(found)}")
        return Settled(with_shapes(reference, found.fixed), found.lengths)
    except BackendError as ex:
        raise ExportError(str(ex)) from ex


def known_of(source: Source, path: Path) -> tuple[Ranges, Traits]:
    """What was declared, and of other inputs what the graph tells.

    Raises:
        SourceError: an input that was declared is not there.
    """
    model = onnx.load(path, load_external_data=False)
    names = [taken.name for taken in model.graph.input]
    if unknown := sorted(source.ranges.keys() - set(names)):
        raise SourceError(
            f"there is no input {unknown[0]!r} for which a range could be declared; the"
            f" inputs are {', '.join(names)}"
        )
    return {**index_ranges(model), **source.ranges}, traits_of(model)


def compare(
    source: Source,
    settled: Settled,
    path: Path,
    digest: str,
    tell: Tell,
) -> Parity:
    """Prove an ONNX against its source.

    Args:
        source: whose sample and preprocessing are used.
        settled: the source, loaded.
        path: the ONNX.
        digest: of the source, when it was loaded.
        tell: called with each step.

    Raises:
        ExportError: ONNX Runtime cannot load or run it.
        SourceError: a range was declared for an input that is not there.
    """
    from exporter.tolerance import tolerance_of

    bundle = source.bundle
    how = bundle.params.preprocess if bundle else Preprocess()
    sample = bundle.read_sample() if bundle else None
    try:
        candidate = open_onnx(path, BackendOptions(provider="cpu"), source.ranges)
        ranges, traits = known_of(source, path)
        parity = prove(
            settled.reference,
            candidate,
            path,
            how,
            sample,
            digest,
            ranges=ranges,
            traits=traits,
            lengths=settled.lengths,
            tolerance=tolerance_of(settled.reference.signature),
            report=tell,
        )
    except BackendError as ex:
        raise ExportError(f"the ONNX cannot be proved: {ex}") from ex
    return replace(parity, sha256=onnx_digest(path), source=source.name)
