"""The bill of materials in CycloneDX's JSON: what a user gets with the wheel.

cyclonedx-py describes all of the environment, with the tools of developers. The bill
has what the wheel's own extras bring, in the versions that the tests passed with, and
the works of others that are inside the wheel (LICENSES.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from packaging.utils import canonicalize_name

from tools.release.closure import closure, wheel_of
from tools.release.inside import ROOT, Work, works

# The first three are for the people who change and publish the project. onnxruntime-gpu
# takes the place of onnxruntime, and is in no environment of the tests.
_LEFT_OUT = {"dev", "site", "release", "cuda"}

Json = dict[str, Any]


def bill(wheel: Path) -> Json:
    """Return the bill of a wheel, with the packages of this process's environment.

    Raises:
        importlib.metadata.PackageNotFoundError: the environment lacks a package.
        subprocess.CalledProcessError: cyclonedx-py failed.
        ValueError: the bill is not as CycloneDX demands.
    """
    # Its own validation takes a quarter of a minute, and the bill changes afterwards.
    command = [Path(sys.executable).parent / "cyclonedx-py", "environment"]
    options = ["--output-reproducible", "--no-validate", "--spec-version", "1.6"]
    named = ["--pyproject", ROOT / "pyproject.toml", sys.executable]
    done = subprocess.run(
        [*command, *options, *named], capture_output=True, check=True, text=True
    )
    extras = set(wheel_of(wheel).metadata.get_all("Provides-Extra") or [])
    needed = closure(wheel_of(wheel), extras - _LEFT_OUT)
    found = shipped(json.loads(done.stdout), set(needed))
    found["components"] += [_component(work) for work in works()]
    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6)
    if wrong := validator.validate_str(json.dumps(found)):
        raise ValueError(f"the bill of materials is not CycloneDX 1.6: {wrong}")
    return found


def shipped(whole: Json, needed: set[str]) -> Json:
    """Return a bill with the needed packages alone.

    Args:
        whole: the bill of an environment, as cyclonedx-py writes it.
        needed: the canonical names of the packages that stay.
    """
    root = whole["metadata"]["component"]["bom-ref"]
    stay = [p for p in whole["components"] if canonicalize_name(p["name"]) in needed]
    there = {root, *(part["bom-ref"] for part in stay)}
    edges = [
        {
            "ref": entry["ref"],
            "dependsOn": [ref for ref in entry.get("dependsOn", []) if ref in there],
        }
        for entry in whole["dependencies"]
        if entry["ref"] in there
    ]
    return {**whole, "components": stay, "dependencies": edges}


def _component(work: Work) -> Json:
    files = sorted(path for pattern in work.files for path in ROOT.glob(pattern))
    return {
        "type": "data" if work.name == "MNIST" else "library",
        "bom-ref": f"inside:{work.name}",
        "name": work.name,
        "version": work.version,
        "licenses": [{"license": {"id": work.licence}}],
        "components": [
            {
                "type": "file",
                "bom-ref": f"inside:{work.name}:{path.relative_to(ROOT)}",
                "name": str(path.relative_to(ROOT)),
                "hashes": [
                    {"alg": "SHA-256", "content": sha256(path.read_bytes()).hexdigest()}
                ],
            }
            for path in files
        ],
    }
