"""The bill of materials in CycloneDX's JSON: what a user gets with the wheel.

cyclonedx-py describes all of the environment, with the tools of developers. The bill
has what the wheel's own extras bring, in the versions that the tests passed with, and
the works of others that are inside the wheel (LICENSES.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.release.inside import ROOT, Work, works

# These extras are for the people who change and publish the project.
_OURS = {"dev", "site", "release"}

Json = dict[str, Any]


def bill() -> Json:
    """Return the bill of the environment that runs this process.

    Raises:
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
    found = shipped(json.loads(done.stdout), _served())
    found["components"] += [_component(work) for work in works()]
    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6)
    if wrong := validator.validate_str(json.dumps(found)):
        raise ValueError(f"the bill of materials is not CycloneDX 1.6: {wrong}")
    return found


def shipped(whole: Json, served: set[str]) -> Json:
    """Return a bill with the packages that the named ones need, directly or not.

    Args:
        whole: the bill of an environment, as cyclonedx-py writes it.
        served: canonical names of the packages that the project itself asks for.
    """
    root = whole["metadata"]["component"]["bom-ref"]
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in whole["dependencies"]}
    name = {part["bom-ref"]: part["name"] for part in whole["components"]}
    direct = [ref for ref in needs[root] if canonicalize_name(name[ref]) in served]
    reached: set[str] = set()
    next_ones = list(direct)
    while next_ones:
        ref = next_ones.pop()
        if ref not in reached:
            reached.add(ref)
            next_ones += needs.get(ref, [])
    return {
        **whole,
        "components": [p for p in whole["components"] if p["bom-ref"] in reached],
        "dependencies": [
            entry if entry["ref"] != root else {"ref": root, "dependsOn": direct}
            for entry in whole["dependencies"]
            if entry["ref"] in reached or entry["ref"] == root
        ],
    }


def _served() -> set[str]:
    """Return the names of all packages that users of the wheel may get."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    told = [project["dependencies"], *(extras[e] for e in extras if e not in _OURS)]
    return {canonicalize_name(Requirement(line).name) for some in told for line in some}


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
