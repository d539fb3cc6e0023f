"""Add a proved ONNX to a bundle, or to any other source that the exporter accepts."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

from bundle.disk import refusal
from bundle.parity import Parity
from bundle.variants import onnx_file
from exporter.child.run import Limits, Tell, run_in_child
from exporter.child.scratch import scratch
from exporter.conversion import Order, convert_and_prove
from exporter.destination import Destination, beside
from exporter.errors import ExportError, VariantRefused, WorkFailed
from exporter.options import DEFAULTS, Options
from exporter.sources.source import Source


def silent(step: str) -> None:
    """Ignore the steps of the work."""


def export(
    source: Source,
    options: Options = DEFAULTS,
    *,
    destination: Destination | None = None,
    limits: Limits | None = None,
    tell: Tell = silent,
    max_inside: int | None = None,
) -> Parity:
    """Convert a source in a child process, prove the result, then write it.

    However either process ends, the destination holds the earlier files or a proved
    model; see ``Destination.publish``.

    Args:
        source: the model to convert.
        options: the settings of the conversion.
        destination: the place of the ONNX; None is model.onnx beside the source.
        limits: the child's limits of time and memory; None is the defaults.
        tell: is called with each step: loading, converting, …
        max_inside: see ``Order``.

    Returns:
        The proof that was written.

    Raises:
        SourceError, BundleError: there is no model that can be loaded.
        OutputError: a file lies in the place of the ONNX, and must not be replaced.
        ExportError: the source cannot be converted; nothing was changed.
        WorkFailed: the work crashed, or the result cannot be written; nothing was
            changed.
        ParityFailed: the ONNX answers differently; no model is left, the proof says
            why.
        VariantRefused: the model was written, but a variant that was asked for was not;
            an earlier variant was removed.
    """
    destination = destination or beside(source)
    destination.prepare(source)
    try:
        with scratch() as folder:
            candidate = folder / destination.model.name
            order = Order(source, options, candidate, max_inside)
            made = run_in_child(
                convert_and_prove,
                order,
                limits=limits or Limits(),
                tell=tell,
                verbose=options.verbose,
                reads=[source.given, *filter(None, [options.calibration])],
                writes=[folder],
            )
            _see_that_they_are_plain(folder)
            # The paths are made here, and not taken from the child, which may be
            # hostile.
            variants = [
                replace(variant, path=folder / onnx_file(variant.variant))
                for variant in made.variants
                if variant.variant in options.variants
            ]
            tell("publishing")
            destination.publish(source, candidate, made.parity, variants)
    except OSError as ex:
        why = refusal(ex, "name another place with --output")
        raise WorkFailed(f"{destination.model.name} cannot be written: {why}") from ex
    if refusals := [variant.refusal for variant in made.variants if variant.refusal]:
        raise VariantRefused(made.parity, refusals)
    return made.parity


def _see_that_they_are_plain(folder: Path) -> None:
    """Refuse links and pipes that a model may have left: none is followed or read."""
    for path in folder.iterdir():
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ExportError(f"the work left {path.name}, which is no plain file")
