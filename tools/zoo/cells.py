"""The texts of a row, for the terminal and for docs/zoo.md."""

from __future__ import annotations

from collections.abc import Sequence

from tools.zoo.row import BROKEN, CRASHED, PROVED, REFUSED, WRONG, Row

HEADINGS = (
    "model",
    "convert",
    "parity",
    "max abs diff",
    "TF ms",
    "ORT ms",
    "speed-up",
    "size",
    "tf2onnx alone",
)
_WIDTHS = (56, 7, 6, 12, 9, 9, 8, 8, 13)
_NONE = "-"
_ALONE = {
    PROVED: "equal",
    WRONG: "wrong",
    BROKEN: "broken",
    REFUSED: "refuses",
    CRASHED: "broken",
}


def cells(row: Row) -> tuple[str, ...]:
    """Make the texts of a row, one for each of ``HEADINGS``."""
    ours = row.ours
    is_converted = ours.verdict in (PROVED, WRONG)
    return (
        row.name,
        "yes" if is_converted else ours.verdict,
        {PROVED: "passed", WRONG: "FAILED"}.get(ours.verdict, _NONE),
        _NONE if ours.max_abs_diff is None else f"{ours.max_abs_diff:.1e}",
        _NONE if ours.tensorflow_ms is None else f"{ours.tensorflow_ms:.3f}",
        _NONE if ours.onnxruntime_ms is None else f"{ours.onnxruntime_ms:.3f}",
        _NONE if ours.speed_up is None else f"{ours.speed_up:.1f} x",
        _NONE if ours.size_bytes is None else _size(ours.size_bytes),
        _ALONE[row.alone.verdict],
    )


def aligned(texts: Sequence[str]) -> str:
    """Make a line for a terminal, from ``HEADINGS`` or from the cells of a row."""
    name, *others = (
        f"{text:>{width}}" for text, width in zip(texts, _WIDTHS, strict=True)
    )
    return "  ".join([f"{name.strip():<{_WIDTHS[0]}}", *others])


def _size(size_bytes: int) -> str:
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1e3:.1f} kB"
    return f"{size_bytes / 1e6:.1f} MB"
