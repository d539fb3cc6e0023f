"""The machine on which the servers ran."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runtime.process.cores import usable_cores

# Processors with one of these flags multiply int8 in one instruction.
_VNNI = {"avx512_vnni", "avx_vnni"}


@dataclass(frozen=True)
class Machine:
    """A machine and its system.

    Attributes:
        processor: the kernel's name for the processor.
        cores: the number of cores that may be used.
        vnni: the processor multiplies int8 in one instruction.
        kernel: the kernel's release.
        python: Python's version.
        wrk: wrk's version.
    """

    processor: str
    cores: int
    vnni: bool
    kernel: str
    python: str
    wrk: str

    def __str__(self) -> str:
        vnni = "with VNNI" if self.vnni else "without VNNI"
        return (
            f"{self.processor} {vnni}, {self.cores} cores; {self.kernel};"
            f" Python {self.python}; {self.wrk}"
        )


def this_machine() -> Machine:
    """Describe the machine on which this process runs."""
    info = Path("/proc/cpuinfo")
    facts = _facts(info.read_text() if info.exists() else "")
    return Machine(
        facts.get("model name") or platform.processor() or platform.machine(),
        usable_cores(),
        bool(_VNNI & set(facts.get("flags", "").split())),
        f"{platform.system()} {platform.release()}",
        platform.python_version(),
        _wrk(),
    )


def _facts(text: str) -> dict[str, str]:
    """Read the first core's entries in /proc/cpuinfo."""
    first = text.partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _wrk() -> str:
    # wrk exits with code 1 whenever it does not load a server, so it is not checked.
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout
    return " ".join(said.split()[:2])
