"""The packages that a wheel brings: its requirements, and theirs."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from zipfile import Path as ZipPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def wheel_of(path: Path) -> metadata.Distribution:
    """Return what a wheel's metadata tells, without installing it."""
    name, version = path.name.split("-")[:2]
    return metadata.PathDistribution(ZipPath(path, f"{name}-{version}.dist-info/"))


def closure(
    root: metadata.Distribution, extras: set[str]
) -> dict[str, metadata.Distribution]:
    """Return the installed packages that a distribution needs, directly or not.

    Args:
        root: the distribution, which is not in the result.
        extras: the root's extras that are wanted.

    Returns:
        The packages under their canonical names.

    Raises:
        importlib.metadata.PackageNotFoundError: one of them is not installed.
    """
    own = canonicalize_name(root.metadata["Name"])
    found: dict[str, metadata.Distribution] = {own: root}
    wanted: dict[str, set[str]] = {}
    next_ones = [(own, frozenset(extras))]
    while next_ones:
        name, asked = next_ones.pop()
        new = {"", *asked} - wanted.get(name, set())
        if not new:
            continue
        wanted.setdefault(name, set()).update(new)
        if name not in found:
            found[name] = metadata.distribution(name)
        for line in found[name].requires or []:
            needed = Requirement(line)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in new
            ):
                next_ones.append(
                    (canonicalize_name(needed.name), frozenset(needed.extras))
                )
    del found[own]
    return found
