"""Draw the timings of a bench."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from bundle.disk import refusal
from bundle.staging import replace_file
from exporter.bench import ENGINES, Timing
from exporter.errors import ExportError

# These are matplotlib's first two colours; colour-blind people can tell them apart.
_COLOURS = dict(zip(ENGINES, ("tab:orange", "tab:blue"), strict=True))


def plot(timings: Sequence[Timing], title: str, path: Path) -> None:
    """Draw items a second by batch size: colours are engines, dashes few threads.

    Args:
        timings: see ``bench``.
        title: the text above the picture.
        path: the PNG file.

    Raises:
        ExportError: the file cannot be written.
    """
    # The figure is made without pyplot, which keeps every figure and looks for a
    # screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    counts = sorted({timing.threads for timing in timings})
    for threads in counts:
        for engine in ENGINES:
            line = [t for t in timings if (t.engine, t.threads) == (engine, threads)]
            axes.plot(
                [t.batch_size for t in line],
                [t.items_per_second for t in line],
                color=_COLOURS[engine],
                linestyle="-" if threads == counts[-1] else "--",
                marker="o",
                label=f"{engine}, threads: {threads}",
            )
    sizes = sorted({timing.batch_size for timing in timings})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_yscale("log")
    axes.set(title=title, xlabel="batch size", ylabel="items a second")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    try:
        replace_file(path, picture.getvalue())
    except OSError as ex:
        why = refusal(ex, "name another file with --plot")
        raise ExportError(f"{path} cannot be written: {why}") from ex
