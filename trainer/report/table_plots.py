"""The pictures of the report on a table, drawn from the figures of metrics.json."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from exporter.reports.figure import BLUE, GRAY, ORANGE, new_figure, png_of, tidy
from trainer.report.plots import Metrics, calibration, confusion, learning_curve, short

# More bars or panels would be too small to read.
_MAX_BARS = 30
_MAX_PANELS = 6
_MAX_CURVES = 10


def needed(metrics: Metrics) -> set[str]:
    """Name the pictures that show something."""
    found = {"learning_curve", "importance"}
    if metrics["task"] == "regression":
        return found | {"regression"}
    if metrics["confusion_matrix"] is not None:
        found.add("confusion_matrix")
    return found | {"roc", "scores", "calibration"}


def roc(metrics: Metrics) -> bytes:
    """Draw the curve of each class, and its area."""
    figure = new_figure(5.4, 5.0)
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), linestyle="--", color=GRAY)
    curves = [curve for curve in metrics["roc"] if curve["auc"] is not None]
    for curve in curves[:_MAX_CURVES]:
        axes.plot(
            curve["false_positives"],
            curve["true_positives"],
            color=BLUE if len(curves) == 1 else None,
            label=f"{short(curve['label'])}: AUC {curve['auc']:.4f}",
        )
    tidy(axes, xlabel="false positives", ylabel="true positives", xlim=(0, 1))
    axes.set_ylim(0, 1.02)
    if curves:
        for text in axes.legend(frameon=False, loc="lower right").get_texts():
            text.set_parse_math(False)
    return png_of(figure)


def scores(metrics: Metrics) -> bytes:
    """Draw the scores of training rows as areas, and of test rows as points."""
    found = metrics["score_distributions"][:_MAX_PANELS]
    columns = min(2, len(found))
    rows = -(-len(found) // columns)
    figure = new_figure(5.4 * columns, 3.6 * rows)
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in cells[len(found) :]:
        axes.set_axis_off()
    for axes, one in zip(cells, found, strict=False):
        edges = np.array(one["edges"])
        middles = (edges[1:] + edges[:-1]) / 2
        for name, label, colour in (
            ("", short(one["label"]), BLUE),
            ("_others", "others", ORANGE),
        ):
            axes.stairs(one[f"train{name}"], edges, fill=True, alpha=0.35, color=colour)
            shares = np.array(one[f"test{name}"])
            seen = shares > 0
            axes.plot(middles[seen], shares[seen], ".", color=colour, label=label)
        axes.set_yscale("symlog", linthresh=0.001)
        tidy(axes, ylabel="share of rows", xlim=(0, 1))
        axes.set_xlabel(f"score of {short(one['label'])}", parse_math=False)
        for text in axes.legend(frameon=False).get_texts():
            text.set_parse_math(False)
    return png_of(figure)


def importance(metrics: Metrics) -> bytes:
    """Draw a bar for each feature, the most important above."""
    found = metrics["importance"][:_MAX_BARS][::-1]
    figure = new_figure(6.4, 1.2 + 0.26 * len(found))
    axes = figure.subplots()
    places = range(len(found))
    axes.barh(
        places,
        [
            np.nan if one["loss_increase"] is None else one["loss_increase"]
            for one in found
        ],
        xerr=[one["spread"] or 0 for one in found],
        color=BLUE,
        ecolor=GRAY,
    )
    axes.set_yticks(places, [short(one["feature"]) for one in found], parse_math=False)
    tidy(axes, xlabel="growth of the loss without the feature")
    return png_of(figure)


def regression(metrics: Metrics) -> bytes:
    """Draw predicted by true numbers, and the histogram of their differences."""
    found = metrics["regression"]
    figure = new_figure(9.6, 4.4)
    left, right = figure.subplots(1, 2)
    true = np.array(found["true"], float)
    predicted = np.array(found["predicted"], float)
    ends = (true.min(), true.max())
    left.plot(ends, ends, linestyle="--", color=GRAY)
    left.plot(true, predicted, ".", color=BLUE, alpha=0.5, markersize=4)
    label = short(metrics["label"])
    tidy(left)
    left.set_xlabel(f"true {label}", parse_math=False)
    left.set_ylabel(f"predicted {label}", parse_math=False)
    edges = found["residual_edges"]
    right.stairs(found["residual_shares"], edges, fill=True, color=BLUE)
    tidy(right, xlabel="predicted less true", ylabel="share of rows")
    return png_of(figure)


# The plots that images and tables share look at no image.
_NONE: NDArray[np.uint8] = np.empty((0, 1, 1, 1), np.uint8)

# The pictures by their files' names without ``.png``.
TABLE_PLOTS: dict[str, Callable[[Metrics], bytes]] = {
    "learning_curve": lambda metrics: learning_curve(metrics, _NONE),
    "confusion_matrix": lambda metrics: confusion(metrics, _NONE),
    "roc": roc,
    "scores": scores,
    "calibration": lambda metrics: calibration(metrics, _NONE),
    "importance": importance,
    "regression": regression,
}
