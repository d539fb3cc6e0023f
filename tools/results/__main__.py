"""``python -m tools.results [NAME…]`` runs the trainings and writes docs/results.md.

Without names it runs all of them, which takes most of an hour on two quiet cores.
results.json keeps the result of each, so that one can be measured anew alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.results.work import run
from tools.results.works import WORKS

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
KEPT = PAGE.with_suffix(".json")

_BEGIN, _END = "<!-- measured -->\n", "<!-- end of measured -->"


def table(results: dict[str, dict[str, Any]]) -> str:
    """Write the results as a table of Markdown, and the commands below it."""
    done = [work for work in WORKS if work.name in results]
    lines = [
        "| data set | how | on the test part | time | processor time |",
        "| --- | --- | --- | ---: | ---: |",
    ]
    for work in done:
        result = results[work.name]
        lines.append(
            f"| {work.title} | {result['details']} | **{result['figure']}** |"
            f" {result['seconds']:,.0f} s | {result['processor']:,.0f} s |"
        )
    commands = ["<!-- not run: the trainings take up to a quarter of an hour each -->"]
    commands.append("```sh")
    for work in done:
        commands += [f"# {work.title}", *work.before, work.command]
    return "\n".join([*lines, "", *commands, "```"])


def main(names: list[str]) -> None:
    """Run the works of these names, or all."""
    known = {work.name: work for work in WORKS}
    if unknown := set(names).difference(known):
        sys.exit(f"no such work: {', '.join(unknown)}; there are {', '.join(known)}")
    results = json.loads(KEPT.read_bytes()) if KEPT.exists() else {}
    for name in names or known:
        with tempfile.TemporaryDirectory() as folder:
            result = run(known[name], Path(folder))
        print(f"{name}: {result}", flush=True)
        results[name] = result.to_json()
        KEPT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    text = f"{head}{_BEGIN}\n{table(results)}\n\n{_END}{tail}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
