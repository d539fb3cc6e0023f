"""Programs that read the files of deploy/ as a machine would.

A test whose program is missing is skipped, and says which package has it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT

DEPLOY = ROOT / "deploy"
# tools/install.sh unpacks Debian's packages there if the machine lacks them.
_UNPACKED = [Path(sys.prefix) / name / "usr" for name in ("prometheus", "logrotate")]
_PLACES = os.pathsep.join(
    (
        os.environ["PATH"],
        "/usr/sbin",
        str(Path(sys.prefix) / "bin"),
        *(str(usr / folder) for usr in _UNPACKED for folder in ("bin", "sbin")),
    )
)
# logrotate's own library lies beside it.
_LIBRARIES = os.pathsep.join(
    str(usr / "lib" / f"{platform.machine()}-linux-gnu") for usr in _UNPACKED
)


def run_tool(name: str, *arguments: str | Path, package: str, code: int = 0) -> str:
    """Run a program; return its output, standard error included.

    Args:
        name: the program.
        arguments: its arguments.
        package: the package that has it, for the reason of a skipped test.
        code: the exit code that is expected.
    """
    program = shutil.which(name, path=_PLACES)
    if program is None:
        pytest.skip(f"there is no {name}; the package {package} has it")
    done = subprocess.run(
        [program, *map(str, arguments)],
        env={**os.environ, "LD_LIBRARY_PATH": _LIBRARIES},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout
