"""The exporter, where it is installed: adds ONNX to a bundle just written."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from bundle.errors import DomainError


class Conversion:
    """Adds ONNX to a bundle, if it is wanted and the exporter is there.

    Args:
        wanted: whether to convert at all.
        verbose: let TensorFlow and tf2onnx speak.

    Attributes:
        exporter_missing: it is wanted and the extra ``export`` is not installed.
        failure: why the conversion failed; None if it did not.
    """

    def __init__(self, wanted: bool, verbose: bool) -> None:
        self.exporter_missing = wanted and not _exporter_is_installed()
        self.failure: str | None = None
        self._convert = wanted and not self.exporter_missing
        self._verbose = verbose

    def add_to(self, folder: Path) -> None:
        """Convert the bundle in ``folder``; prints the proof.

        What fails is kept in ``failure``: without ONNX it is a whole bundle all the
        same, and the training is not to be lost.
        """
        if not self._convert:
            return
        # Not at the top: tf2onnx and rich come with the extra.
        from exporter.export import export
        from exporter.options import Options
        from exporter.reports.table import print_table
        from exporter.sources.source import open_source

        try:
            options = Options(verbose=self._verbose)
            # It was trained here, and may hold any operator that Keras gave it.
            source = replace(open_source(folder), trusted=True)
            print_table(export(source, options))
        except DomainError as ex:
            self.failure = str(ex)
        except OSError as ex:  # a full disk
            self.failure = ex.strerror or "the disk refused it"


def _exporter_is_installed() -> bool:
    # Without importing it.
    return all(find_spec(name) is not None for name in ("tf2onnx", "onnx"))
