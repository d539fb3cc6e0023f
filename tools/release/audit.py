"""``make audit``: known vulnerabilities of the versions in constraints.txt.

pip-audit asks PyPI for each version. It passes over what it cannot find, and then says
"No known vulnerabilities found", even if it found nothing at all. So its JSON is read,
and packages that were not audited are told.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.release.inside import ROOT

_BIN = Path(sys.executable).parent


def main() -> None:
    """Print what is known; exit with 1 if a version is vulnerable.

    Without the data, print the pinned versions with their licences instead.
    """
    audited = _audit()
    lines, faults = told(audited)
    print("\n".join(lines))
    if not any("vulns" in package for package in audited):
        print("The pinned versions and their licences:", flush=True)
        subprocess.run([_BIN / "pip-licenses", "--order", "license"], check=True)
    sys.exit(1 if faults else 0)


def told(audited: Iterable[dict[str, Any]]) -> tuple[list[str], int]:
    """Return the lines of the report, and the number of vulnerabilities.

    Args:
        audited: the packages of pip-audit's JSON. A package with ``vulns`` was audited.
    """
    audited = list(audited)
    known = [package for package in audited if "vulns" in package]
    lines = [
        f"{package['name']} {package['version']}: {fault['id']}, mended in "
        + (", ".join(fault["fix_versions"]) or "no version")
        for package in known
        for fault in package["vulns"]
    ]
    faults = len(lines)
    lines.append(f"{len(known)} packages were audited: {faults} vulnerabilities")
    if missed := len(audited) - len(known):
        lines.append(
            f"{missed} packages were NOT audited, because there were no data for them"
        )
    if not audited:
        lines.append("pip-audit could not reach its data; nothing was audited")
    return lines, faults


def _audit() -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        report = Path(folder) / "audit.json"
        subprocess.run(
            [
                _BIN / "pip-audit",
                *("--requirement", ROOT / "constraints.txt"),
                *("--no-deps", "--disable-pip", "--progress-spinner", "off"),
                *("--format", "json", "--output", report),
            ],
            stderr=subprocess.DEVNULL,
            check=False,
        )
        # It writes no report if it cannot reach its data at all.
        if not report.is_file() or not report.read_text():
            return []
        found: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
        return found


if __name__ == "__main__":
    main()
