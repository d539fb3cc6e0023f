"""A virtual environment for each peer, because their requirements conflict."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.places import MADE, PEERS

_PINNED = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(\[[a-z,]+\])?==(?P<version>[^\s;]+)")
# Ray is the largest package, and takes minutes on a slow network.
_SECONDS = 1800


def environment(peer: str) -> Path:
    """Find the folder of a peer's commands; make it if its requirements are new.

    Raises:
        BenchError: pip could not install it.
    """
    requirements = PEERS / peer / "requirements.txt"
    folder = MADE / peer
    # The stamp is written last, so an interrupted installation does not count.
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != requirements.read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
        MADE.mkdir(exist_ok=True)
        _run(peer, [sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        _run(peer, [*pip, "--disable-pip-version-check", "-r", str(requirements)])
        shutil.copyfile(requirements, stamp)
    return folder / "bin"


def pinned(requirements: Path) -> dict[str, str]:
    """Read the versions in a requirements.txt, by the packages' names.

    Raises:
        BenchError: a line does not name one version.
    """
    versions = {}
    for line in requirements.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        found = _PINNED.fullmatch(line)
        if not found:
            raise BenchError(f"{requirements}: {line!r} does not pin a version")
        versions[found["name"].lower()] = found["version"]
    return versions


def _run(peer: str, command: Sequence[str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.CalledProcessError as ex:
        lines = (ex.stderr or ex.stdout).strip().splitlines() or ["no word"]
        raise BenchError(f"{peer} cannot be installed: {lines[-1]}") from ex
    except subprocess.TimeoutExpired as ex:
        raise BenchError(
            f"{peer} cannot be installed: pip took more than {_SECONDS} s"
        ) from ex
