"""The page docs/zoo.md: tables of the zoo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from tools.zoo.cells import HEADINGS, cells
from tools.zoo.counts import Counts, counts
from tools.zoo.record import Family
from tools.zoo.row import Row

TITLES = {
    "layers": "keras.layers",
    "activations": "keras.activations",
    "operations": "keras.ops",
    "applications": "keras.applications",
    "networks": "Models as people build them",
    "graphs": "Graphs of TensorFlow 1 and 2",
}
_COUNTED = (
    "family",
    "names",
    "models",
    "converted and proved",
    "refused, with the reason",
    "not solved",
    "tf2onnx alone: equal",
    "wrong",
    "broken",
    "refuses",
)
# Another program's reason may fill a page, so this many characters of it are shown.
_SHOWN = 300


def page(families: Mapping[str, Family]) -> str:
    """Write the whole page as text.

    Args:
        families: the families by their names, in the order of the page.
    """
    introduction = Path(__file__).with_name("introduction.md").read_text()
    lines = [introduction, *_counts(families)]
    for name, family in families.items():
        lines += ["", f"## {TITLES[name]}", "", *_models(family.rows)]
        unsolved = [row for row in family.rows if not row.is_as_it_should_be]
        refused = [r for r in family.rows if r.is_as_it_should_be and r.refused]
        for title, rows in (("Not solved", unsolved), ("Refused", refused)):
            if rows:
                lines += ["", f"{title}:", "", *_reasons(rows)]
    return "\n".join([*lines, "", "## Measured with", "", *_measured(families), ""])


def _counts(families: Mapping[str, Family]) -> Iterator[str]:
    yield from _head(_COUNTED)
    for name, family in families.items():
        yield _counted(TITLES[name], counts(family.rows))
    if len(families) > 1:
        rows = [row for family in families.values() for row in family.rows]
        yield _counted("all", counts(rows))


def _counted(title: str, found: Counts) -> str:
    return _line((title, *map(str, astuple(found))))


def _models(rows: Sequence[Row]) -> Iterator[str]:
    yield from _head(HEADINGS)
    for row in rows:
        name, *others = cells(row)
        yield _line((f"`{name}`", *others))


def _reasons(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        reason = row.ours.reason or f"converts, and was to be refused: {row.refused}"
        text = " ".join(reason.split())
        short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        yield f"- `{row.name}`: {short}"


def _measured(families: Mapping[str, Family]) -> Iterator[str]:
    yield from _head(("family", "when", "machine", "versions"), numbers=False)
    for name, family in families.items():
        versions = ", ".join(
            f"{lib} {number}" for lib, number in family.versions.items()
        )
        yield _line((TITLES[name], family.made, family.machine, versions))


def _head(headings: Sequence[str], *, numbers: bool = True) -> Iterator[str]:
    """Write the headings and the line below them; numbers are aligned to the right."""
    yield _line(headings)
    others = "---:" if numbers else "---"
    yield _line(["---", *[others] * (len(headings) - 1)])


def _line(texts: Sequence[str]) -> str:
    escaped = (text.replace("|", "\\|") for text in texts)
    return f"| {' | '.join(escaped)} |"
