"""The pictures of docs/benchmarks.md."""

from __future__ import annotations

import io
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.ratios import is_peer
from bench.record import Cell, Results, key
from bench.work import WORKS, Work

# Colour-blind people can tell these two colours apart.
_OURS, _PEERS = "tab:blue", "tab:orange"
# The pictures show this number of connections; the tables show all.
_CONNECTIONS = 8


def charts(results: Results) -> Mapping[str, bytes]:
    """Draw the pictures; gives PNG data by the files' names."""
    return {
        "benchmarks-throughput.png": _picture(results, _throughput),
        "benchmarks-latency.png": _picture(results, _latency),
        "benchmarks-memory.png": _memory(results),
    }


def _picture(results: Results, draw: object) -> bytes:
    assert callable(draw)
    works = [
        (work, found)
        for work in WORKS
        if work.kind != "mixed" and (found := _cells(results, work))
    ]
    columns = 2
    rows = max(1, -(-len(works) // columns))
    figure = Figure(figsize=(11, 3.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (work, found) in zip(axes, works, strict=False):
        draw(axis, found)
        axis.set_title(f"({work.key}) {work.title}, c={_CONNECTIONS}", fontsize=10)
    for axis in axes[len(works) :]:
        axis.set_visible(False)
    return _png(figure)


def _cells(results: Results, work: Work) -> list[tuple[str, str, Cell]]:
    """List each server's colour, title and figures, the slowest first."""
    found = [
        (_OURS if not is_peer(name) else _PEERS, entry.title.replace("`", ""), cell)
        for name, entry in results.servers.items()
        if (cell := entry.cells.get(key(work.key, _CONNECTIONS)))
        and cell.rounds
        and not cell.failure
    ]
    return sorted(found, key=lambda one: one[2].requests_per_second)


def _throughput(axes: Axes, found: Sequence[tuple[str, str, Cell]]) -> None:
    numbers = [cell.requests_per_second for _, _, cell in found]
    bars = axes.barh(
        range(len(found)), numbers, color=[colour for colour, _, _ in found]
    )
    axes.bar_label(bars, [f"{number:,.0f}" for number in numbers], fontsize=7)
    axes.set_yticks(range(len(found)), [title for _, title, _ in found], fontsize=7)
    axes.set_xlabel("requests a second", fontsize=8)
    axes.margins(x=0.12)


def _latency(axes: Axes, found: Sequence[tuple[str, str, Cell]]) -> None:
    """Draw a bar to the median, and a line from there to the 99th percentile."""
    for place, (colour, _, cell) in enumerate(found):
        axes.barh(place, cell.p50_ms, color=colour)
        axes.hlines(place, cell.p50_ms, cell.p99_ms, color="black", linewidth=1)
    axes.set_yticks(range(len(found)), [title for _, title, _ in found], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds: bar to p50, line to p99", fontsize=8)


def _memory(results: Results) -> bytes:
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    entries = [
        (name, entry, entry.starts["mnist"])
        for name, entry in results.servers.items()
        if "mnist" in entry.starts
    ]
    entries.reverse()
    names = [entry.title.replace("`", "") for _, entry, _ in entries]
    colours = [_PEERS if is_peer(name) else _OURS for name, _, _ in entries]
    for axes, label, numbers in (
        (left, "MiB after the load (MNIST)", [start.mib for _, _, start in entries]),
        (right, "seconds to start", [start.seconds for _, _, start in entries]),
    ):
        medians = [statistics.median(rounds or [0]) for rounds in numbers]
        bars = axes.barh(np.arange(len(names)), medians, color=colours)
        axes.bar_label(bars, [f"{number:,.3g}" for number in medians], fontsize=7)
        axes.set_yticks(np.arange(len(names)), names, fontsize=7)
        axes.set_xlabel(label, fontsize=8)
        axes.margins(x=0.12)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    # The file has no date and no version, so the same figures give the same picture.
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()
