"""The adoption of TFaaS's flat folders: each becomes version 1 of its name, with ONNX.

A flat folder is only read. Its copy is converted and proved in a scratch folder, and is
published like any upload, by one rename. So a kill at any moment leaves the flat folder
as it was, or the whole version beside it; and the flat folder stays as the way back.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bundle.disk import refusal
from bundle.errors import DomainError, StoreError
from bundle.folder import open_whole
from bundle.manifest import FILE_NAME as MANIFEST
from bundle.manifest import write_manifest
from bundle.params import FILE_NAME as PARAMS
from bundle.params_file import write_stored
from runtime.admin import Admin, Description
from runtime.admin.errors import Unreachable, WorkFailed
from runtime.admin.parcel import open_parcel
from runtime.bundling.conversion import can_convert, convert, workplace
from runtime.bundling.flat_folders import FlatFolder
from runtime.bundling.wishes import Tell

# adopted: it is a version now. there: the store has versions of this name already.
# refused: the folder is broken, or cannot be served. wanted: it would be adopted.
Outcome = Literal["adopted", "there", "refused", "wanted"]

_NO_EXPORTER = (
    "the exporter is not installed here (the extra 'export', docs/installing.md);"
    " 'exporter convert NAME' does it later"
)


@dataclass(frozen=True)
class Adoption:
    """The outcome of one flat folder.

    Attributes:
        name: the model.
        kind: see ``FlatFolder``.
        bytes: the bytes of the flat folder.
        outcome: see ``Outcome``.
        reason: why it is not adopted; empty if it is.
        version: the number of the new version; None if there is none.
        backend: the engine that opened the new version, as ``engine/device``.
        fallback_reason: why that is not ONNX Runtime.
        serves: the version that answers requests which name none; None if nobody
            knows, or the model is unloaded.
    """

    name: str
    kind: str
    bytes: int
    outcome: Outcome
    reason: str = ""
    version: int | None = None
    backend: str = ""
    fallback_reason: str = ""
    serves: int | None = None

    def description(self) -> Description:
        """Return it as JSON's types."""
        return asdict(self)


def judge(flat: FlatFolder, admin: Admin, *, is_in_place: bool) -> Adoption:
    """Tell whether a flat folder is to be adopted, and change nothing.

    Args:
        flat: the folder.
        admin: the models of the store that gets the version.
        is_in_place: whether the folder lies in that store, and is its version 0.

    Raises:
        DomainError: the store cannot be asked.
    """
    found = (flat.name, flat.kind, flat.bytes)
    if flat.reason:
        return Adoption(*found, "refused", flat.reason)
    if reason := _already(flat, admin, is_in_place):
        return Adoption(*found, "there", reason)
    return Adoption(*found, "wanted")


def adopt(flat: FlatFolder, admin: Admin, tell: Tell, *, is_in_place: bool) -> Adoption:
    """Publish a flat folder as the first version of its name, with ONNX if possible.

    Args:
        flat: a folder that ``judge`` wants.
        admin: the models of the store that gets the version.
        tell: is called with each step, and with all that a person should know.
        is_in_place: whether the folder lies in that store, and is its version 0.

    Raises:
        StoreError, Unreachable: the store cannot be written or asked; the next folder
            would fare no better.
        WorkFailed: the folder for temporary files cannot be written.
    """
    found = (flat.name, flat.kind, flat.bytes)
    try:
        with workplace("tfaas-adopt", admin.settings) as scratch:
            before = flat.states()
            folder = _copy(flat, scratch / flat.name, tell)
            fallback_reason = _convert(folder, admin, tell)
            if flat.states() != before:
                reason = "its files changed while they were read; adopt it again"
                return Adoption(*found, "refused", reason)
            if reason := _already(flat, admin, is_in_place):
                return Adoption(*found, "there", reason)
            with open_parcel(folder) as parcel:
                published = admin.publish(parcel)
        number = int(published["version"])
        if reason := _overtaken(flat.name, number, admin):
            return Adoption(*found, "there", reason)
    except OSError as ex:
        why = refusal(ex, "set TMPDIR to another folder")
        raise WorkFailed(f"{flat.name} cannot be copied: {why}") from ex
    except (StoreError, Unreachable):
        raise
    except DomainError as ex:
        return Adoption(*found, "refused", str(ex))
    return Adoption(
        *found,
        "adopted",
        version=number,
        backend=published["backend"],
        fallback_reason=fallback_reason or published.get("fallback_reason", ""),
        serves=published.get("serves", number),
    )


def _copy(flat: FlatFolder, folder: Path, tell: Tell) -> Path:
    """Copy a flat folder, with its name in params.json and its digests in a manifest.

    Raises:
        BundleError: it is no whole bundle.
        OSError: a file cannot be read or written.
    """
    for name, path in flat.files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    params = open_whole(folder).params
    # Clients ask for the name of the folder, under which the store finds it.
    if params.name != flat.name:
        tell(
            f"params.json names it {params.name}; the version keeps the folder's name,"
            f" {flat.name}, for which clients ask"
        )
    if params.name != flat.name or not (folder / PARAMS).exists():
        write_stored(folder, {**params.stored, "name": flat.name})
        (folder / MANIFEST).unlink(missing_ok=True)
    if not (folder / MANIFEST).exists():
        write_manifest(folder)
    return folder


def _convert(folder: Path, admin: Admin, tell: Tell) -> str:
    """Add the proved model.onnx to a copy; return the reason why there is none."""
    bundle = open_whole(folder)
    if bundle.onnx or bundle.tensorflow_model is None:
        return ""
    if not can_convert():
        return _NO_EXPORTER
    tell("converting it, and proving that the ONNX answers the same")
    try:
        return convert(folder, admin.settings)
    except WorkFailed as ex:  # TensorFlow can serve it, as it did before
        return str(ex)


def _already(flat: FlatFolder, admin: Admin, is_in_place: bool) -> str:
    """Say why a folder's version would get in the way of others; empty if it would not.

    A new version would serve in place of what somebody published there before.
    """
    numbers = _versions(flat.name, admin)
    others = [number for number in numbers if number or not is_in_place]
    if not others:
        return ""
    if others == [0]:
        return f"{admin.place} has a flat folder of this name itself"
    shown = ", ".join(map(str, filter(None, others)))
    return f"{admin.place} has its version{'s'[: len(others) > 1]} {shown} already"


def _overtaken(name: str, number: int, admin: Admin) -> str:
    """Take a version back if somebody published the model just before it.

    A version that came after it serves in its place, so both stay. If each of two
    commands took its version back for the other's, none would be left.

    Returns:
        The reason why it was taken back; empty if it stays.
    """
    others = [other for other in _versions(name, admin) if 0 < other < number]
    if not others:
        return ""
    admin.delete_version(name, number)
    return f"somebody published its version {max(others)} at the same time"


def _versions(name: str, admin: Admin) -> list[int]:
    # The list has no error for a name that is not there, on a server and in a folder.
    if all(model["name"] != name for model in admin.models()):
        return []
    return [int(version["version"]) for version in admin.model(name)["versions"]]
