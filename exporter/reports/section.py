"""The exporter's section in a training's report: the proof, and both engines' latency.

The trainer's page has two comments, between which this section stands. A page without
them is somebody else's, and is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bundle.parity import Parity, read_parity
from bundle.report import FOLDER, LATENCY_PLOT, PAGE, PARITY_PLOT
from bundle.staging import locked, replace_files
from exporter.reports.figure import (
    BLUE,
    ENGINE_COLOURS,
    GRAY,
    figure_html,
    new_figure,
    png_of,
    tidy,
)

_BEGIN = "<!-- the exporter's section -->"
_END = "<!-- end of the exporter's section -->"
# The place of the section in a page to which no exporter has come yet.
EMPTY = f"{_BEGIN}\n{_END}"
# A page of the trainer has 0.5 MB. The bundle may be a stranger's.
_MAX_BYTES = 1 << 26


def has_report(folder: Path) -> bool:
    """Tell whether a bundle has a report to which a section can be added."""
    return (folder / PAGE).is_file() and find_spec("matplotlib") is not None


def add_section(folder: Path) -> str:
    """Add the proof and the latency of parity.json to a bundle's report.

    Args:
        folder: a bundle's folder. If it has no report of the trainer, or no proof,
            nothing is done.

    Returns:
        A warning, if the section could not be made; else an empty text.
    """
    if not has_report(folder):
        return ""
    try:
        _add_section(folder)
    # matplotlib can fail on fonts and caches, and the page may be a stranger's. The
    # model was converted and proved all the same.
    except Exception as ex:
        return f"warning: the report lacks the proof: {ex}"
    return ""


def _add_section(folder: Path) -> None:
    # The import takes half a second, in which nobody should wait for the lock.
    import matplotlib.figure  # noqa: F401

    # Another exporter may be writing its proof, and this section must belong to one.
    with locked(folder):
        parity = read_parity(folder)
        page = _read_page(folder)
        if parity is None or not parity.passed or page is None:
            return
        before, _, rest = page.partition(_BEGIN)
        _, end, after = rest.partition(_END)
        if not end:
            return
        pictures = {}
        if sum(parity.differences.values()):
            pictures[PARITY_PLOT] = _parity_plot(parity)
        if parity.milliseconds_by_batch:
            pictures[LATENCY_PLOT] = _latency_plot(parity.milliseconds_by_batch)
        section = f"{_BEGIN}\n{_section(parity, pictures)}\n{_END}"
        contents = {
            **{Path(name).name: png for name, png in pictures.items()},
            # The page comes last: it has all pictures inside.
            Path(PAGE).name: f"{before}{section}{after}".encode(),
        }
        _sweep(folder / FOLDER)
        for name in {PARITY_PLOT, LATENCY_PLOT} - pictures.keys():
            (folder / name).unlink(missing_ok=True)
        replace_files(folder / FOLDER, contents)


def _read_page(folder: Path) -> str | None:
    try:
        with (folder / PAGE).open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    return None if len(content) > _MAX_BYTES else content.decode()


def _sweep(report: Path) -> None:
    """Remove the temporary files that a killed exporter left."""
    for name in (PAGE, PARITY_PLOT, LATENCY_PLOT):
        for left in report.glob(f".{Path(name).name}.*"):
            left.unlink()


def _section(parity: Parity, pictures: Mapping[str, bytes]) -> str:
    figures = []
    if PARITY_PLOT in pictures:
        figures.append(
            figure_html(
                pictures[PARITY_PLOT],
                "Histogram of the differences between the answers of both engines",
                f"{sum(parity.differences.values()):,} numbers that both engines"
                " answered to the same inputs, by their difference. The dashed line is"
                " the absolute tolerance.",
            )
        )
    if LATENCY_PLOT in pictures:
        figures.append(
            figure_html(
                pictures[LATENCY_PLOT],
                "Plot of the time of a run by batch size, for both engines",
                "The median time of a run on the machine that converted the model, on"
                " all its cores. Both axes are logarithmic.",
            )
        )
    return (
        "<section>\n<h2>ONNX, and its proof</h2>\n"
        f"<p>ONNX Runtime answers as TensorFlow does: {parity.samples:,} items were"
        f" compared, the largest difference is"
        f' <span class="number">{parity.max_abs_diff:.1e}</span>, and the best'
        f" class is the same for {parity.top1_agreement:.2%} of them."
        f"{_speed(parity)}</p>\n"
        f'<div class="pair">{"".join(figures)}</div>\n</section>'
    )


def _speed(parity: Parity) -> str:
    times = parity.milliseconds_per_image
    if not {"tensorflow", "onnxruntime"} <= times.keys() or not times["onnxruntime"]:
        return ""
    return (
        f" One item takes {times['onnxruntime']:.3f} ms in ONNX Runtime and"
        f" {times['tensorflow']:.3f} ms in TensorFlow."
    )


def _parity_plot(parity: Parity) -> bytes:
    names = list(parity.differences)
    counts = list(parity.differences.values())
    # Empty bins at both ends say nothing, but equal numbers stay in any case.
    filled = [place for place, count in enumerate(counts) if count]
    first, last = min(filled[0], 1), max(filled[-1], _place_of(parity.atol, names))
    shown = range(first, last + 1)
    figure = new_figure(5.4, 3.8)
    axes = figure.subplots()
    axes.bar(range(len(shown)), [counts[place] for place in shown], color=BLUE)
    axes.set_xticks(
        range(len(shown)), [_tick(names[place]) for place in shown], fontsize=9
    )
    axes.axvline(
        _place_of(parity.atol, names) - first + 0.5, linestyle="--", color=GRAY
    )
    axes.set_yscale("symlog", linthresh=1)
    tidy(axes, xlabel="|onnx - tensorflow|, up to", ylabel="numbers")
    return png_of(figure)


def _place_of(bound: float, names: list[str]) -> int:
    """The place of the last bin that lies within a bound."""
    within = [
        place
        for place, name in enumerate(names)
        if name != "more" and float(name) <= bound * 1.001
    ]
    return within[-1] if within else 0


def _tick(name: str) -> str:
    if name in ("0", "more"):
        return "equal" if name == "0" else name
    return f"$10^{{{int(name.partition('e')[2])}}}$"


def _latency_plot(by_batch: Mapping[str, Mapping[str, float]]) -> bytes:
    sizes = [int(size) for size in by_batch]
    figure = new_figure(5.4, 3.8)
    axes = figure.subplots()
    for engine, colour in ENGINE_COLOURS.items():
        times = [by_engine.get(engine, np.nan) for by_engine in by_batch.values()]
        axes.plot(sizes, times, marker="o", color=colour, label=engine)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_yscale("log")
    tidy(axes, xlabel="batch size", ylabel="milliseconds a run")
    axes.legend(frameon=False)
    return png_of(figure)
