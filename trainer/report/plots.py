"""The pictures of a training's report, drawn from the figures of metrics.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from exporter.reports.figure import BLUE, GRAY, ORANGE, new_figure, png_of, tidy
from trainer.images import Images

# Above this the numbers in the cells would cover each other.
_MAX_NUMBERED_CLASSES = 20
# A longer label would push the picture aside.
_LONGEST = 16

Metrics = Mapping[str, Any]


def learning_curve(metrics: Metrics, images: Images) -> bytes:
    """Draw the loss and the other measure of each epoch."""
    history = metrics["history"]
    figure = new_figure(9, 3.6)
    found = [name for name in history if not name.startswith("val_")]
    metrics_by_epoch = sorted(found, key=lambda name: name != "loss")
    cells = figure.subplots(1, len(found), squeeze=False)[0]
    for axes, metric in zip(cells, metrics_by_epoch, strict=True):
        epochs = range(1, len(history[metric]) + 1)
        for name, label, colour in (
            (metric, "training", ORANGE),
            (f"val_{metric}", "validation", BLUE),
        ):
            values = [np.nan if value is None else value for value in history[name]]
            axes.plot(epochs, values, marker="o", color=colour, label=label)
        # The axis is wide enough to show whole numbers beside a single epoch.
        tidy(
            axes,
            xlabel="epoch",
            ylabel=metric.replace("_", " "),
            xlim=(0.5, len(epochs) + 0.5),
        )
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.legend(frameon=False)
    return png_of(figure)


def confusion(metrics: Metrics, images: Images) -> bytes:
    """Draw the confusion matrix: a cell has its count, and its share of the row."""
    from matplotlib.colors import PowerNorm

    counts = np.array(metrics["confusion_matrix"])
    labels = [short(found["label"]) for found in metrics["classes"]]
    figure = new_figure(7.4, 6.4)
    axes = figure.subplots()
    # A row without images stays white.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The root makes mistakes of one in a hundred visible beside the diagonal.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    drawn = axes.imshow(shares, cmap="Blues", norm=norm)
    bar = figure.colorbar(drawn, label="share of the true class", shrink=0.8)
    bar.outline.set_visible(False)
    axes.set(xlabel="predicted", ylabel="true")
    axes.spines[:].set_visible(False)
    if len(labels) <= _MAX_NUMBERED_CLASSES:
        longest = max(len(label) for label in labels)
        # A label may be any text, and a dollar sign in it must not begin a formula.
        axes.set_xticks(
            range(len(labels)),
            labels,
            rotation=45 if longest > 3 else 0,
            parse_math=False,
        )
        axes.set_yticks(range(len(labels)), labels, parse_math=False)
        size = 9 if len(labels) <= 10 else 6
        for (row, column), count in np.ndenumerate(counts):
            if not count:
                continue  # empty cells would hide the few mistakes
            share = shares[row, column]
            axes.text(
                column,
                row,
                f"{count}\n{share:.1%}",
                ha="center",
                va="center",
                fontsize=size,
                linespacing=1.1,
                color="white" if norm(share) > 0.5 else "black",
            )
    return png_of(figure)


def calibration(metrics: Metrics, images: Images) -> bytes:
    """Draw accuracy by confidence, and below it the number of images in each bin."""
    bins = metrics["calibration"]
    figure = new_figure(5.4, 5.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot((0, 1), (0, 1), linestyle="--", color=GRAY, label="perfect")
    filled = [found for found in bins if found["images"]]
    above.plot(
        [found["confidence"] for found in filled],
        [found["accuracy"] for found in filled],
        marker="o",
        color=BLUE,
        label=f"model, ECE {metrics['ece']:.4f}",
    )
    tidy(above, ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.03))
    above.legend(frameon=False, loc="upper left")
    low = [found["low"] for found in bins]
    below.bar(
        low,
        [found["images"] for found in bins],
        width=1 / len(bins),
        align="edge",
        color=BLUE,
        edgecolor="white",
    )
    # Nearly all images of a good model lie in the last bin.
    below.set_yscale("symlog", linthresh=1)
    items = "rows" if "features" in metrics else "images"
    tidy(below, xlabel="confidence", ylabel=items)
    return png_of(figure)


def mistakes(metrics: Metrics, images: Images) -> bytes:
    """Draw the most confident mistakes as a square of pictures."""
    found = metrics["confident_mistakes"]
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure = new_figure(2.1 * columns, 2.55 * rows)
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, mistake in zip(cells, found, strict=False):
        picture = images[mistake["image"]]
        axes.imshow(
            picture[:, :, 0] if picture.shape[2] == 1 else picture,
            cmap="gray",
            vmin=0,
            vmax=255,
        )
        axes.set_title(
            f"true {short(mistake['true'])}\n"
            f"predicted {short(mistake['predicted'])}, {mistake['confidence']:.1%}",
            fontsize=11,
            parse_math=False,
        )
    return png_of(figure)


def short(label: str) -> str:
    """Shorten a label for a plot."""
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"


# The pictures by their files' names without ``.png``.
PLOTS: dict[str, Callable[[Metrics, Images], bytes]] = {
    "learning_curve": learning_curve,
    "confusion_matrix": confusion,
    "calibration": calibration,
    "mistakes": mistakes,
}
