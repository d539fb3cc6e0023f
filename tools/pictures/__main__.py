"""``python -m tools.pictures BUNDLE`` measures a bundle for docs/pictures.md."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.pictures.measure import Row, measure
from trainer.data import load_dataset

PAGE = Path(__file__).parents[2] / "docs" / "pictures.md"

_BEGIN, _END = "<!-- measured -->\n", "<!-- end of measured -->"


def table(rows: list[Row]) -> str:
    """Write the results as a table of Markdown."""
    lines = [
        "| pictures | without the steps | with them | promised | time |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        promised = f"{row.kind.least:.2f}" if row.kind.least else ""
        lines.append(
            f"| {row.kind.name} | {row.before:.4f} | **{row.after:.4f}** | {promised} |"
            f" {_rounded(row.microseconds)} us |"
        )
    return "\n".join(lines)


def _rounded(microseconds: float) -> str:
    return f"{float(f'{microseconds:.2g}'):,.0f}"


def main(folder: Path) -> None:
    """Measure a bundle on MNIST's 10,000 test images."""
    data = load_dataset(None)
    rows = measure(folder, data.x_test[:][:, :, :, 0], data.y_test)
    written = table(rows)
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    PAGE.write_text(f"{head}{_BEGIN}\n{written}\n\n{_END}{tail}", encoding="utf-8")
    print(written)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tools.pictures BUNDLE")
    main(Path(sys.argv[1]))
