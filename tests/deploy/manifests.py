"""Kubernetes' manifests of deploy/, as kubectl's kustomize would put them together.

Only what these manifests use of kustomize is here: resources, files in generated
maps, patches of RFC 6902, and patches that delete. A test compares the outcome with
kubectl's.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from tests.documents import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"

Manifest = dict[str, Any]


def read(path: Path) -> list[Manifest]:
    """Return the manifests of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def built(folder: Path) -> list[Manifest]:
    """Return the manifests of a folder with a kustomization.yaml."""
    (kustomization,) = read(folder / "kustomization.yaml")
    found: list[Manifest] = []
    for name in kustomization["resources"]:
        path = folder / name
        found += built(path) if path.is_dir() else read(path)
    for made in kustomization.get("configMapGenerator", ()):
        content = {Path(file).name: (folder / file) for file in made["files"]}
        data = {
            name: path.read_text(encoding="utf-8") for name, path in content.items()
        }
        if made.get("behavior") == "replace":
            one(found, "ConfigMap", made["name"])["data"] = data
        else:
            metadata = {"name": made["name"]}
            found.append(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": metadata,
                    "data": data,
                }
            )
    for patch in kustomization.get("patches", ()):
        (content,) = read(folder / patch["path"])
        if isinstance(content, list):
            apply(one(found, **patch["target"]), content)
        else:
            assert content.pop("$patch") == "delete"
            found.remove(one(found, content["kind"], content["metadata"]["name"]))
    return found


def one(manifests: list[Manifest], kind: str, name: str = "tfaas-onnx") -> Manifest:
    """Return the manifest of a kind and name; there is exactly one."""
    (found,) = (
        each
        for each in manifests
        if each["kind"] == kind and each["metadata"]["name"] == name
    )
    return found


def apply(manifest: Manifest, operations: list[dict[str, Any]]) -> None:
    """Change a manifest by ``add`` and ``replace`` of RFC 6902."""
    for operation in operations:
        *way, last = operation["path"].removeprefix("/").split("/")
        place: Any = manifest
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        value = copy.deepcopy(operation["value"])
        if isinstance(place, dict):
            assert operation["op"] == "add" or last in place
            place[last] = value
        elif operation["op"] == "replace":
            place[int(last)] = value
        else:
            place.insert(len(place) if last == "-" else int(last), value)
