"""The comparison of two bundles: each figure of both, and the difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trainer.comparison.side import Side

Better = Literal["higher", "lower", ""]


@dataclass(frozen=True)
class Row:
    """One figure of both bundles.

    Attributes:
        name: the figure's name, with its unit.
        values: the figure of A and that of B; None where it is not known.
        how: makes a text of a value.
        better: whether a higher or a lower value is better; empty if neither is.
        percent: whether the difference is shown in percentage points.
    """

    name: str
    values: tuple[float | None, float | None]
    how: Callable[[float], str]
    better: Better
    percent: bool = False

    @property
    def difference(self) -> float | None:
        """B less A; None if one of them is not known."""
        first, second = self.values
        return None if first is None or second is None else second - first

    @property
    def winner(self) -> Literal["A", "B", ""]:
        """The bundle with the better value; empty if there is none."""
        if not self.better or not self.difference:
            return ""
        return "B" if (self.difference > 0) == (self.better == "higher") else "A"

    @property
    def cells(self) -> tuple[str, str, str]:
        """A's value, B's value and the difference, as texts."""
        first, second = (
            "unknown" if value is None else self.how(value) for value in self.values
        )
        if not self.difference:
            return first, second, "" if self.difference is None else "same"
        if self.percent:
            return first, second, f"{self.difference * 100:+.2f} points"
        sign = "+" if self.difference > 0 else "-"
        return first, second, sign + self.how(abs(self.difference))


@dataclass(frozen=True)
class Comparison:
    """Two bundles side by side.

    Attributes:
        sides: A and B.
        rows: the figures of the whole bundles.
        classes: the recall of each class, the largest difference first.
        notes: sentences that warn of a comparison that is not fair.
    """

    sides: tuple[Side, Side]
    rows: tuple[Row, ...]
    classes: tuple[Row, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Make an object of texts, numbers and None."""
        first, second = self.sides
        return {
            "a": asdict(first),
            "b": asdict(second),
            "difference": {row.name: row.difference for row in self.rows},
            "class_differences": {row.name: row.difference for row in self.classes},
            "notes": list(self.notes),
        }


def compare(first: Side, second: Side) -> Comparison:
    """Compare two bundles, A and B."""
    rows = tuple(
        Row(name, (getattr(first, field), getattr(second, field)), how, better, percent)
        for name, field, how, better, percent in _FIGURES
        if field not in _OF_TABLES or _has(first, field) or _has(second, field)
    )
    labels = [*first.recall, *(n for n in second.recall if n not in first.recall)]
    classes = [
        Row(n, (first.recall.get(n), second.recall.get(n)), _percent, "higher", True)
        for n in labels
    ]
    # The sort is stable, so equal differences stay in the order of the labels.
    classes.sort(key=lambda row: -abs(row.difference or 0))
    return Comparison((first, second), rows, tuple(classes), _notes(first, second))


def _notes(first: Side, second: Side) -> tuple[str, ...]:
    notes = []
    if (first.data_set, first.test_samples) != (second.data_set, second.test_samples):
        notes.append(
            f"A was tested on {first.data_set or 'unknown data'} and B on"
            f" {second.data_set or 'unknown data'}, so their accuracies may not be"
            " comparable"
        )
    if list(first.recall) != list(second.recall):
        notes.append("A and B have different classes")
    return tuple(notes)


def _has(side: Side, field: str) -> bool:
    return getattr(side, field) is not None


def _percent(value: float) -> str:
    return f"{value:.2%}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _short(value: float) -> str:
    return f"{value:,.4g}"


def _size(value: float) -> str:
    return f"{value / 1000:,.0f} kB"


def _figure(digits: int, unit: str = "") -> Callable[[float], str]:
    return lambda value: f"{value:,.{digits}f}{unit}"


# Figures that models of images have not.
_OF_TABLES = ("auc", "r2", "rmse", "mae")

_FIGURES: tuple[tuple[str, str, Callable[[float], str], Better, bool], ...] = (
    ("accuracy", "accuracy", _percent, "higher", True),
    ("test loss", "loss", _figure(4), "lower", False),
    ("calibration error (ECE)", "ece", _figure(4), "lower", False),
    ("area below the ROC (AUC)", "auc", _figure(4), "higher", False),
    ("explained variance (R²)", "r2", _figure(4), "higher", False),
    ("root mean squared error", "rmse", _short, "lower", False),
    ("mean absolute error", "mae", _short, "lower", False),
    ("parameters", "parameters", _whole, "lower", False),
    ("epochs", "epochs", _whole, "", False),
    ("training time", "seconds", _figure(1, " s"), "lower", False),
    ("size of the bundle", "bundle_bytes", _size, "", False),
    ("size of model.onnx", "onnx_bytes", _size, "lower", False),
    ("one item in ONNX Runtime", "milliseconds", _figure(3, " ms"), "lower", False),
)
