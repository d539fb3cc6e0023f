"""Conversion of a new bundle to ONNX, if the exporter is installed."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import click

from bundle.errors import DomainError


class Conversion:
    """Adds ONNX to a bundle, if it is wanted and the exporter is installed.

    Args:
        wanted: convert the bundle.
        verbose: show the messages of TensorFlow and tf2onnx.

    Attributes:
        exporter_missing: ONNX is wanted and the extra ``export`` is not installed.
        failure: the reason why the conversion failed; None if it did not fail.
    """

    def __init__(self, wanted: bool, verbose: bool) -> None:
        self.exporter_missing = wanted and not _exporter_is_installed()
        self.failure: str | None = None
        self._convert = wanted and not self.exporter_missing
        self._verbose = verbose

    def add_to(self, folder: Path) -> None:
        """Convert the bundle in ``folder`` and print the proof.

        An error is kept in ``failure`` and not raised: the bundle is whole without
        ONNX, and the training must not be lost.
        """
        if not self._convert:
            return
        # These are imported here because tf2onnx and rich come with the extra.
        from exporter.export import export
        from exporter.options import Options
        from exporter.reports.section import add_section, has_report
        from exporter.reports.table import print_table
        from exporter.sources.source import open_source

        try:
            options = Options(verbose=self._verbose, latency=has_report(folder))
            # The model was trained here, so all its operators are trusted.
            source = replace(open_source(folder), trusted=True)
            print_table(export(source, options))
            if warning := add_section(folder):
                click.echo(warning, err=True)
        except DomainError as ex:
            self.failure = str(ex)
        except OSError as ex:  # a full disk
            self.failure = ex.strerror or "the disk refused it"


def _exporter_is_installed() -> bool:
    # A look at the modules is enough; an import takes seconds.
    return all(find_spec(name) is not None for name in ("tf2onnx", "onnx"))
