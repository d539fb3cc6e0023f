"""docs/zoo.png: the shares of converted models, and the gain by ONNX Runtime."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tools.zoo.counts import counts
from tools.zoo.record import Family

# Colour-blind people can tell these two colours apart.
_OURS, _ALONE = "tab:blue", "tab:orange"


def chart(families: Mapping[str, Family]) -> bytes:
    """Draw the picture; gives PNG data.

    Args:
        families: see ``tools.zoo.page.page``.
    """
    # pyplot is not used, because it keeps every figure and looks for a screen.
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _converted(left, families)
    _speed_ups(right, families)
    picture = io.BytesIO()
    # The file has no date and no version, so the same rows give the same picture.
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()


def _converted(axes: Axes, families: Mapping[str, Family]) -> None:
    found = [counts(family.rows) for family in families.values()]
    places = np.arange(len(found))
    for offset, colour, label, numbers in (
        (-0.2, _OURS, "exporter", [count.proved for count in found]),
        (0.2, _ALONE, "tf2onnx alone", [count.equal for count in found]),
    ):
        shares = [
            100 * n / max(1, count.models - count.refused)
            for n, count in zip(numbers, found, strict=True)
        ]
        bars = axes.bar(places + offset, shares, 0.38, color=colour, label=label)
        axes.bar_label(bars, [str(number) for number in numbers], fontsize=8)
    axes.set_xticks(places, list(families), fontsize=9)
    axes.set_ylim(0, 118)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("% of what ONNX can say; the number of models on top")
    axes.set_title("Converted, and proved to answer as TensorFlow does")
    axes.legend(loc="upper right", ncols=2, fontsize=8)


def _speed_ups(axes: Axes, families: Mapping[str, Family]) -> None:
    """Draw a bar to the median, and a line from the 10th to the 90th percentile."""
    for place, family in enumerate(families.values()):
        found = [row.ours.speed_up for row in family.rows if row.ours.speed_up]
        if found:
            low, middle, high = np.percentile(found, [10, 50, 90])
            axes.bar(place, middle - 1, 0.5, bottom=1, color=_OURS)
            axes.vlines(place, low, high, color="black", linewidth=1)
            axes.annotate(
                f"{middle:.1f} x", (place, middle), (6, 3), textcoords="offset points"
            )
    axes.set_xticks(range(len(families)), list(families), fontsize=9)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ratio, place: f"{ratio:g} x"))
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_ylabel("TensorFlow's time / ONNX Runtime's")
    axes.set_title("Speed-up of one item: median, and 10 % to 90 %")
