"""``make dist``: write wheel and sdist, their bill of materials and their digests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256

from tools.release.bill import bill
from tools.release.inside import ROOT

DIST = ROOT / "dist"


def main() -> None:
    """Fill dist/ anew; a command that fails ends it with its exit code."""
    shutil.rmtree(DIST, ignore_errors=True)
    # The files have the time of the last commit, so whoever builds them again gets the
    # same bytes.
    if "SOURCE_DATE_EPOCH" not in os.environ:
        os.environ["SOURCE_DATE_EPOCH"] = _output("git", "log", "-1", "--format=%ct")
    # The wheel is made from the sdist, which shows that the sdist is whole. Isolation
    # would download another build backend than the one that constraints.txt names.
    _run("build", "--no-isolation", "--outdir", str(DIST), str(ROOT))
    files = sorted(DIST.iterdir())
    _run("twine", "check", "--strict", *map(str, files))
    (wheel,) = DIST.glob("*.whl")
    name = wheel.name.partition("-py3")[0]
    told = DIST / f"{name}.cdx.json"
    told.write_text(json.dumps(bill(wheel), indent=1, ensure_ascii=False) + "\n")
    files.append(told)
    lines = [
        f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files
    ]
    (DIST / "SHA256SUMS").write_text("".join(lines))
    for file in [*files, DIST / "SHA256SUMS"]:
        print(f"{file.stat().st_size:>12,}  {file.relative_to(ROOT)}")


def _run(module: str, *arguments: str) -> None:
    code = subprocess.run(
        [sys.executable, "-m", module, *arguments], check=False
    ).returncode
    if code:
        sys.exit(code)


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        sys.exit("make dist needs a clone with git, or SOURCE_DATE_EPOCH in seconds")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
