"""docs/zoo.json: the rows of each family, with the machine and the versions."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bundle.staging import replace_file
from tools.zoo.row import Attempt, Row

_PACKAGES = (
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxslim",
    "onnxruntime",
    "numpy",
)


@dataclass(frozen=True)
class Family:
    """A family's rows.

    Attributes:
        rows: the rows, in the order of the specimens.
        made: the time of its last measurement, even of a part, in UTC, ISO 8601.
        machine: the processor and the number of cores.
        versions: the versions of all libraries that took part.
    """

    rows: Sequence[Row]
    made: str
    machine: str
    versions: Mapping[str, str]


def measured(rows: Sequence[Row]) -> Family:
    """Make a family of rows that were just measured on this machine."""
    return Family(
        rows,
        datetime.now(UTC).isoformat(timespec="minutes"),
        f"{_processor()}, {os.cpu_count()} cores",
        {"python": platform.python_version(), **_versions()},
    )


def read(path: Path) -> dict[str, Family]:
    """Read the families that ``write`` wrote, by name; none if there is no file."""
    if not path.exists():
        return {}
    return {
        name: Family(**{**family, "rows": [_row(row) for row in family["rows"]]})
        for name, family in json.loads(path.read_bytes()).items()
    }


def write(path: Path, families: Mapping[str, Family]) -> None:
    """Keep the families for the next run, which may measure only one of them again."""
    content = {name: asdict(family) for name, family in families.items()}
    replace_file(path, (json.dumps(content, indent=1) + "\n").encode())


def _row(content: dict[str, Any]) -> Row:
    attempts = {whose: Attempt(**content[whose]) for whose in ("ours", "alone")}
    return Row(content["name"], content["refused"], **attempts)


@functools.cache
def _processor() -> str:
    """Find the kernel's name for the processor; on other systems, Python's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


@functools.cache
def _versions() -> dict[str, str]:
    by_module = importlib.metadata.packages_distributions()
    return {
        # tensorflow-cpu is the distribution that installs the module tensorflow.
        name: importlib.metadata.version(by_module[name][0])
        for name in _PACKAGES
    }
