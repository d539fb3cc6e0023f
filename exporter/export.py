"""Add a proved ONNX to a bundle, or to any other source that the exporter takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundle.parity import Parity
from bundle.staging import Staging
from exporter.child import Limits, Tell, run_in_child
from exporter.conversion import Order, convert_and_prove
from exporter.destination import Destination, beside
from exporter.errors import ExportError, VariantRefused
from exporter.options import DEFAULTS, Options
from exporter.source import Source


def silent(step: str) -> None:
    """For who does not want to hear of steps."""


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

    However either process ends, what lies at the destination is what was there or what
    was proved; see ``Destination.publish``.

    Args:
        source: what is converted.
        options: how.
        destination: None is model.onnx beside the source.
        limits: of the child's time and memory; None is the defaults.
        tell: called with each step: loading, converting, …
        max_inside: see ``Order``.

    Returns:
        The proof, as written.

    Raises:
        SourceError, BundleError: there is no model that can be loaded.
        OutputError: what lies at the destination is not to be replaced.
        ExportError: it cannot be converted, or written; nothing was changed.
        ParityFailed: it answers otherwise; no model is left, the proof says why.
        VariantRefused: the model was written, and a variant that was asked for was
            not; one that was there before is gone.
    """
    destination = destination or beside(source)
    destination.prepare(source)
    try:
        with _scratch() as scratch:
            candidate = scratch / destination.model.name
            order = Order(source, options, candidate, max_inside)
            made = run_in_child(
                convert_and_prove,
                order,
                limits=limits or Limits(),
                tell=tell,
                verbose=options.verbose,
            )
            tell("publishing")
            destination.publish(source, candidate, made.parity, made.variants)
    except OSError as ex:
        raise ExportError(f"the ONNX cannot be written: {ex.strerror}") from ex
    if refusals := [variant.refusal for variant in made.variants if variant.refusal]:
        raise VariantRefused(made.parity, refusals)
    return made.parity


@contextmanager
def _scratch() -> Iterator[Path]:
    """An empty folder; what killed exports left of theirs goes.

    Not in the source's folder: what is written there has a service load the model anew.
    """
    place = Path(tempfile.gettempdir(), f"tfaas-exporter-{os.getuid()}")
    place.mkdir(mode=0o700, exist_ok=True)
    # The name is no secret: somebody else's folder would let him change what is proved.
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise ExportError(
            f"{place} belongs to somebody else; remove it, or set TMPDIR to a folder of"
            " your own"
        )
    staging = Staging(place)
    staging.sweep()
    with staging.folder() as folder:
        yield folder
