"""Convert a source and prove the result in a scratch folder: the child's work."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from bundle.manifest import onnx_digest
from bundle.params import Preprocess
from bundle.parity import Parity
from bundle.variants import DATA
from exporter.child.run import Tell
from exporter.errors import ExportError, NotDrawn, SourceError
from exporter.onnx_model.metadata import write_metadata
from exporter.options import Options
from exporter.proof.draws import Lengths, Ranges, Traits
from exporter.proof.lengths import describe, find_lengths, with_shapes
from exporter.proof.parity import LATENCY_SIZES, prove
from exporter.proof.ranges import index_ranges, traits_of
from exporter.sources.reference import open_reference
from exporter.sources.source import Source
from exporter.variants import Made, make_variants
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions
from runtime.backends.saved_model import TensorFlowBackend
from runtime.errors import BackendError
from runtime.process.garbage import uncollected


@dataclass(frozen=True)
class Order:
    """The work that the child process is given.

    Attributes:
        source: the model to convert.
        options: the settings of the conversion.
        candidate: the file to write in a scratch folder, under its final name.
        max_inside: weights of more bytes go into a file of their own. None is the most
            that TensorFlow and protobuf can hold.
    """

    source: Source
    options: Options
    candidate: Path
    max_inside: int | None = None


@dataclass(frozen=True)
class Converted:
    """The results in the scratch folder.

    Attributes:
        parity: the proof of the model.
        variants: the variants that were asked for; empty if the model is not proved.
    """

    parity: Parity
    variants: tuple[Made, ...] = ()


def convert_and_prove(order: Order, tell: Tell) -> Converted:
    """Convert a source, write the ONNX to ``order.candidate``, and compare the two.

    The graph is cleaned first. If the cleaned graph fails, the graph that tf2onnx made
    is written instead.

    Raises:
        SourceError: the source is no model that can be loaded.
        ExportError: the source cannot be converted, or its ONNX cannot run.
        OSError: the scratch folder is full.
    """
    # The digest is taken before the source is read, so that a source that is replaced
    # meanwhile is noticed at the end.
    digest = order.source.digest()
    tell("loading")
    settled = open_settled(order.source, tell)
    # ``_convert`` needs this module. Its imports take as long as all else that follows.
    with uncollected():
        importlib.import_module("exporter.onnx_model.convert")
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
        order.source.read_sample(),
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
    # These imports stand here because they import TensorFlow, and the parent process
    # imports this file, too.
    from exporter.lowering.lower import LARGE_BYTES
    from exporter.onnx_model.convert import convert

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
    return compare(
        order.source,
        settled,
        order.candidate,
        digest,
        tell,
        LATENCY_SIZES if options.latency else (),
    )


@dataclass(frozen=True)
class Settled:
    """A loaded source, with input shapes that it accepts.

    Attributes:
        reference: the loaded source. Its inputs have the shapes that were given, or
            that were found where an axis accepts one length only.
        lengths: see ``exporter.proof.draws.draws``.
    """

    reference: TensorFlowBackend
    lengths: Lengths


def open_settled(source: Source, tell: Tell) -> Settled:
    """Load a source, and find lengths for the axes that its signature leaves free.

    Raises:
        SourceError: the source is no model that can be loaded, or a shape was given for
            an input that it does not have.
        NotDrawn: the model accepts none of the lengths that were tried.
        ExportError: TensorFlow cannot load or run the source.
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
    """The ranges that were declared or that the graph tells, and the inputs' traits.

    Raises:
        SourceError: a range was declared for an input that the model does not have.
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
    latency_sizes: Sequence[int] = (),
) -> Parity:
    """Prove an ONNX against its source.

    Args:
        source: its sample and its preprocessing are used.
        settled: the loaded source.
        path: the ONNX file.
        digest: the digest of the source when it was loaded.
        tell: is called with each step.
        latency_sizes: see ``exporter.proof.parity.prove``.

    Raises:
        ExportError: ONNX Runtime cannot load or run the ONNX.
        SourceError: a range was declared for an input that the model does not have.
    """
    from exporter.proof.tolerance import tolerance_of

    bundle = source.bundle
    how = bundle.params.preprocess if bundle else Preprocess()
    sample = source.read_sample()
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
            latency_sizes=latency_sizes,
        )
    except BackendError as ex:
        raise ExportError(f"the ONNX cannot be proved: {ex}") from ex
    return replace(parity, sha256=onnx_digest(path), source=source.name)
