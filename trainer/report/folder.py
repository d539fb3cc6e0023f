"""The files of ``report/``: metrics.json, a picture for each plot, and the page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from bundle.report import FOLDER, METRICS, PAGE
from trainer.data import DataSet
from trainer.report.metrics import metrics_of
from trainer.report.page import page_of
from trainer.report.plots import PLOTS
from trainer.report.table_page import table_page_of
from trainer.report.table_plots import TABLE_PLOTS, needed
from trainer.tables.dataset import TableSet
from trainer.train import Training


def write_report(
    folder: Path,
    name: str,
    training: Training,
    data: DataSet | TableSet,
    data_name: str,
    command: str,
) -> None:
    """Write the report of a training into its bundle.

    A picture that cannot be drawn is left out with a warning on standard error.

    Args:
        folder: the bundle's folder.
        name: the model's name.
        training: the fitted model and its measures.
        data: the data set.
        data_name: the data set's name.
        command: the command that trains the model again.

    Raises:
        OSError: the disk refuses a file.
    """
    (folder / FOLDER).mkdir()
    metrics = _finite(metrics_of(name, training, data, data_name, command))
    text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / METRICS).write_text(text + "\n", encoding="utf-8")
    pictures = {}
    plots = _plots(metrics, data)
    for plot_name, plot in plots.items():
        try:
            picture = plot()
        # matplotlib can fail on fonts, caches and unusual numbers. The training took
        # much longer than the picture, and must not be lost.
        except Exception as ex:
            click.echo(f"warning: the report lacks {plot_name}.png: {ex}", err=True)
            continue
        pictures[plot_name] = picture
        (folder / FOLDER / f"{plot_name}.png").write_bytes(picture)
    of = table_page_of if isinstance(data, TableSet) else page_of
    page = of(metrics, pictures)
    (folder / PAGE).write_text(page, encoding="utf-8")


def _plots(
    metrics: dict[str, Any], data: DataSet | TableSet
) -> dict[str, Callable[[], bytes]]:
    """Return the pictures that show something, by their files' names."""
    if isinstance(data, TableSet):
        return {
            name: partial(plot, metrics)
            for name, plot in TABLE_PLOTS.items()
            if name in needed(metrics)
        }
    needless = set()
    if metrics["confusion_matrix"] is None:
        needless.add("confusion_matrix")
    if not metrics["confident_mistakes"]:
        needless.add("mistakes")
    return {
        name: partial(plot, metrics, data.x_test)
        for name, plot in PLOTS.items()
        if name not in needless
    }


def _finite(value: Any) -> Any:
    """Replace numbers that JSON lacks by None: a training may end in NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
