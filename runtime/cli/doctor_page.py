"""The page of ``runtime doctor``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from bundle.terminal import printable
from runtime.cli.quantity import size
from runtime.cli.table import console_of_stdout
from runtime.doctor import Checkup
from runtime.doctor.engines import EXTRAS


def print_checkup(checkup: Checkup) -> None:
    """Print the sections one below the other; findings come last."""
    _section("machine", _machine(checkup.machine))
    _section("engines", _engines(checkup.engines))
    _section("settings", _settings(checkup))
    findings = [
        ("stops" if finding.stops else "doubtful", finding.sentence)
        for finding in checkup.findings
    ]
    _section("findings", findings or [("none", "the service would start and answer")])


def _section(title: str, rows: Iterable[tuple[str, str]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, title=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in rows:
        table.add_row(Text(f"  {printable(name)}"), Text(printable(fact)))
    console = console_of_stdout()
    console.print(Text(title, style="bold"))
    console.print(table)


def _machine(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    files = told["open_files"]
    return [
        ("system", f"{told['system']}, Python {told['python']}"),
        ("cores", f"{told['usable_cores']} of {told['cores']} may be used"),
        (
            "memory",
            f"{size(told['usable_memory_bytes'])} of {size(told['memory_bytes'])} may"
            f" be used, {size(told['free_memory_bytes'])} free",
        ),
        *(
            (f"disk of {key}", "unknown" if free is None else f"{size(free)} free")
            for key, free in told["disks"].items()
        ),
        ("open files", f"{_limit(files['soft'])}, at most {_limit(files['hard'])}"),
        ("clock", told["clock"]),
        ("Landlock", f"ABI {told['landlock']}" if told["landlock"] else "no"),
        ("seccomp", "yes" if told["seccomp"] else "no"),
    ]


def _engines(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    extras = told["extras"]
    missing = [extra for extra, packages in extras.items() if packages]
    return [
        ("ONNX Runtime", told["onnxruntime"] or "not installed"),
        ("providers", ", ".join(told["providers"])),
        ("CUDA", told["cuda"]),
        ("TensorFlow", told["tensorflow"] or "not installed"),
        ("extras", ", ".join(e for e in extras if e not in missing) or "none"),
        *((f"no extra {extra}", _lacks(extra, extras[extra])) for extra in missing),
    ]


def _lacks(extra: str, packages: list[str]) -> str:
    return f"gives {EXTRAS[extra]}; lacks {', '.join(packages)}"


def _settings(checkup: Checkup) -> list[tuple[str, str]]:
    told = checkup.effective
    rows = [
        (name, f"{_value(setting['value'])}  ({setting['source']})")
        for name, setting in checkup.settings.items()
    ]
    if not told:
        return [("", "they cannot be read")]
    memory = told["memory_bytes"]
    return [
        *(rows or [("", "all are the defaults")]),
        (
            "this makes",
            f"{told['workers']} worker{'s' * (told['workers'] != 1)} of"
            f" {told['threads']} threads"
            + ("" if memory is None else f", some {size(memory)} of memory"),
        ),
    ]


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _limit(count: int | None) -> str:
    return "no limit" if count is None else str(count)
