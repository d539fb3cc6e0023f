"""The exporter, where it is installed: adds ONNX to a bundle just written."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bundle.errors import DomainError


def exporter_is_installed() -> bool:
    """Whether the extra ``export`` is there, without importing it."""
    return all(find_spec(name) is not None for name in ("tf2onnx", "onnx"))


def add_onnx(folder: Path, verbose: bool) -> str | None:
    """Convert the bundle in ``folder``; prints the proof.

    Returns:
        None, or why it has no ONNX; it is a whole bundle all the same.
    """
    # Not at the top: tf2onnx and rich come with the extra.
    from exporter.export import export
    from exporter.table import print_table

    try:
        print_table(export(folder, verbose=verbose))
    except DomainError as ex:
        return str(ex)
    return None
