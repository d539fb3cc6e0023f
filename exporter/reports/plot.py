"""Draw the timings of a bench."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundle.disk import refusal
from bundle.staging import replace_file
from exporter.bench import ENGINES, Timing
from exporter.errors import ExportError
from exporter.reports.figure import ENGINE_COLOURS, new_figure, png_of, tidy


def plot(timings: Sequence[Timing], title: str, path: Path) -> None:
    """Draw items a second by batch size: colours are engines, dashes few threads.

    Args:
        timings: see ``bench``.
        title: the text above the picture.
        path: the PNG file.

    Raises:
        ExportError: the file cannot be written.
    """
    figure = new_figure(8, 5)
    axes = figure.subplots()
    counts = sorted({timing.threads for timing in timings})
    for threads in counts:
        for engine in ENGINES:
            line = [t for t in timings if (t.engine, t.threads) == (engine, threads)]
            axes.plot(
                [t.batch_size for t in line],
                [t.items_per_second for t in line],
                color=ENGINE_COLOURS[engine],
                linestyle="-" if threads == counts[-1] else "--",
                marker="o",
                label=f"{engine}, threads: {threads}",
            )
    sizes = sorted({timing.batch_size for timing in timings})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_yscale("log")
    tidy(axes, title=title, xlabel="batch size", ylabel="items a second")
    axes.legend()
    picture = png_of(figure)
    try:
        replace_file(path, picture)
    except OSError as ex:
        why = refusal(ex, "name another file with --plot")
        raise ExportError(f"{path} cannot be written: {why}") from ex
