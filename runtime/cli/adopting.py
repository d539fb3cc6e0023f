"""The adoption of flat folders from a terminal, and the lines that tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bundle.terminal import Failed
from runtime.admin import Admin
from runtime.admin.errors import AdminError
from runtime.bundling.adoption import Adoption, adopt, judge
from runtime.bundling.flat_folders import FlatFolder, find_flat_folders
from runtime.cli.output import echo, print_json, say
from runtime.cli.quantity import size


def adopt_folders(
    admin: Admin,
    source: Path | None,
    names: Sequence[str],
    *,
    as_json: bool,
    is_dry: bool,
) -> None:
    """Adopt flat folders one by one, and tell the outcome of each.

    Args:
        admin: the models of the store that gets the versions.
        source: the folder of the flat folders; None is the store's own.
        names: the folders to adopt; empty are all.
        as_json: print JSON alone.
        is_dry: change nothing.

    Raises:
        Failed: a folder is broken or cannot be served; all others were adopted.
        DomainError: the folder or the store cannot be read or written. The lines before
            it tell what was adopted.
    """
    root = source or admin.folder
    if root is None:
        raise AdminError(
            f"{admin.place} has no flat folders that this command can read; --from"
            " FOLDER names the folder that has them, such as TFaaS's modelDir"
        )
    is_in_place = admin.folder is not None and root.resolve() == admin.folder.resolve()
    adoptions = []
    for flat in find_flat_folders(root, names):
        adoption = judge(flat, admin, is_in_place=is_in_place)
        if not flat.reason:
            say(f"{flat.name} is {_described(flat)}")
        if adoption.outcome == "wanted" and not is_dry:
            tell = partial(_tell, flat.name)
            adoption = adopt(flat, admin, tell, is_in_place=is_in_place)
        adoptions.append(adoption)
        _print(adoption, as_json)
    if as_json:
        print_json([adoption.description() for adoption in adoptions])
    _tell_end(root, adoptions, is_in_place)


def _described(flat: FlatFolder) -> str:
    plural = "s"[: flat.labels > 1]
    labels = f" with {flat.labels} label{plural}" if flat.labels else ""
    return f"{flat.kind}{labels}, {size(flat.bytes)}"


def _tell(name: str, step: str) -> None:
    say(f"{name}: {step}")


def _print(adoption: Adoption, as_json: bool) -> None:
    """Print the line of one folder; with ``as_json`` only what people read beside."""
    name, number = adoption.name, adoption.version
    tell = say if as_json else echo
    match adoption.outcome:
        case "wanted":
            tell(f"{name} would become version 1")
        case "there":
            say(f"{name}: nothing to do: {adoption.reason}")
        case "refused":
            say(f"{name}: not adopted: {adoption.reason}")
        case "adopted":
            tell(f"{name}:{number} {adoption.backend}")
            if adoption.fallback_reason:
                say(f"{name}: TensorFlow serves it: {adoption.fallback_reason}")
            if adoption.serves is None:
                say(f"{name}: the model is unloaded, and answers no requests")
            elif adoption.serves != number:
                say(
                    f"{name}: a request without a version still gets"
                    f" {adoption.serves}; 'runtime models label {name}:{number} stable'"
                    " changes that"
                )


def _tell_end(root: Path, adoptions: Sequence[Adoption], is_in_place: bool) -> None:
    adopted = [adoption for adoption in adoptions if adoption.outcome == "adopted"]
    if not adoptions:
        say(f"there are no flat folders in {root}/")
    if adopted:
        taken = size(sum(adoption.bytes for adoption in adopted))
        stay = f"the flat folders stay in {root}/, and take {taken} there"
        back = "'runtime models rollback NAME --to 0' serves one again"
        say(f"{stay}; {back}" if is_in_place else stay)
    if refused := [a.name for a in adoptions if a.outcome == "refused"]:
        raise Failed(
            f"{len(refused)} of {len(adoptions)} flat folders cannot be adopted:"
            f" {', '.join(refused[:8])}{' …' if len(refused) > 8 else ''}"
        )
