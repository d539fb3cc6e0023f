"""The store of bundles as objects: published, labelled and removed without a lock.

A publisher writes the files first, each under the sha256 of its content, and the
version's manifest last, by a conditional creation. The manifest makes the version
visible. So a version is there whole or not at all, and of two publishers who want one
number, one wins and the other takes the next.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from bundle.errors import (
    BundleError,
    ConflictError,
    ModelNotFound,
    StoreError,
    StoreUnreachable,
)
from bundle.manifest import sha256_of
from bundle.objects.bucket import Bucket, Listed
from bundle.objects.entry import Entry, Pointed, Published
from bundle.objects.manifest import Blob, Manifest
from bundle.params import FILE_NAME as PARAMS
from bundle.params import MODEL_NAME
from bundle.store_errors import no_model
from bundle.version import VERSION_NAME
from bundle.version_labels import LABEL_NAME

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

# Files that no manifest names may belong to an upload that still runs. An upload of
# this project's largest bundles takes minutes.
GRACE_SECONDS = 3600.0
# A put whose answer was lost is looked after, and repeated, so often.
_TRIES = 5
# Changes of one label by others, in a row, after which this one gives up.
_CONFLICTS = 20
# The list of the last changes has so many.
RECENT = 100
# Requests of one listing or upload that run at a time.
_AT_A_TIME = 8

_CHANGED = "changed"
# No label has this name, because a label begins with a letter.
_UNLOADED = "_unloaded"

_VERSION_KEY = re.compile(r"versions/([^/]+)/([1-9][0-9]{0,17})\.json")
_LABEL_KEY = re.compile(r"labels/([^/]+)/([^/]+)\.json")


class Change(NamedTuple):
    """A change of a model.

    Attributes:
        id: a random number, which tells it from other changes.
        name: the model.
    """

    id: str
    name: str


class ObjectStore:
    """The models of a bucket.

    Each operation may raise ``StoreUnreachable``. A change is then made or not made,
    and may be asked for again.

    Args:
        bucket: the bucket.
        keep: the versions without a label that a model keeps; see ``ModelStore``.
        grace_seconds: files that no manifest names are removed when they are so old.
        clock: the time in seconds since 1970.
    """

    def __init__(
        self,
        bucket: Bucket,
        keep: int = 0,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bucket = bucket
        self._keep = keep
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._is_probed = False

    def keep_versions(self, keep: int) -> None:
        """Let a model keep so many versions from now on."""
        self._keep = keep

    def check_writable(self) -> None:
        """Check once that the store keeps conditions.

        Raises:
            StoreError: it does not, so nothing may be written.
        """
        if not self._is_probed:
            self._bucket.probe()
            self._is_probed = True

    def changes(self) -> list[Change]:
        """Return the last changes, oldest first.

        A change of a publisher that was killed may be missing.
        """
        found = self._bucket.read(_CHANGED)
        return _read_changes(found[0]) if found else []

    def snapshot(self, known: Mapping[str, Entry]) -> dict[str, Entry]:
        """List all models, by name.

        Args:
            known: the models as they were; what has not changed is not read again.
        """
        # Labels are listed first, so that the version of a label is in the listing.
        labels = self._bucket.list("labels/")
        versions = self._bucket.list("versions/")
        return self._entries(known, labels, versions)

    def look(self, name: str, known: Entry | None = None) -> Entry | None:
        """List one model; None if the store has no version of it."""
        _check_name(name)
        labels = self._bucket.list(f"labels/{name}/")
        versions = self._bucket.list(f"versions/{name}/")
        before = {} if known is None else {name: known}
        return self._entries(before, labels, versions).get(name)

    def fetch(self, name: str, blob: Blob, path: Path) -> None:
        """Write a file of a model into a new file of this machine.

        Raises:
            BundleError: the store has it no more, or has something else.
            OSError: the disk refuses the file.
        """
        try:
            came = self._bucket.fetch(_blob_key(name, blob), path, blob.size)
        except FileNotFoundError as ex:
            if ex.filename is not None:  # the disk's own
                raise
            lost = f"the object store has lost a file of {name!r}"
            raise BundleError(lost) from None
        if came != blob.sha256:
            raise BundleError(f"the object store's file of {name!r} is damaged")

    def publish(self, folder: Path, files: Mapping[str, Path], name: str) -> int:
        """Publish a folder as the next version of a model.

        Args:
            folder: the bundle.
            files: the bundle's files, by their names in the folder.
            name: the model.

        Returns:
            The version's number.

        Raises:
            StoreError: the store lets two publishers win, so nothing was written.
            ConflictError: the model has the highest number that a version may have.
        """
        _check_name(name)
        self.check_writable()
        blobs = _blobs_of(files)
        self._upload(name, files, blobs)
        created = datetime.fromtimestamp(self._clock(), UTC)
        manifest = Manifest(
            uuid.uuid4().hex,
            created.isoformat(timespec="seconds"),
            _params_of(folder),
            blobs,
        )
        number = self._announce(name, manifest)
        # A sweep may have removed old files meanwhile that this version uses again.
        self._upload(name, files, blobs)
        self._say_changed(name)
        self._trim(name)
        return number

    def revise(
        self, name: str, number: int, id_: str, files: Mapping[str, Path]
    ) -> bool:
        """Give a version other files beside it, such as model.onnx, which came later.

        The manifest is replaced by compare-and-set. If somebody else has revised the
        version meanwhile, theirs stays.

        Returns:
            Whether the version has these files now.
        """
        self.check_writable()
        key = _version_key(name, number)
        if (found := self._bucket.read(key)) is None:
            raise ModelNotFound(f"model {name!r} has no version {number}")
        manifest, tag = _manifest_of(name, number, found[0]), found[1]
        if manifest.id != id_:
            return False
        blobs = _blobs_of(files)
        if blobs == manifest.files:
            return True
        before = frozenset(manifest.files.values())
        self._upload(name, files, blobs, before)
        revised = Manifest(manifest.id, manifest.created, manifest.params, blobs)
        content = revised.to_json()
        if not self._bucket.replace(key, content, tag):
            # The manifest is this one if only the answer was lost.
            found = self._bucket.read(key)
            if found is None or found[0] != content:
                return False
        self._upload(name, files, blobs, before)
        self._say_changed(name)
        return True

    def set_label(self, name: str, label: str, number: int, id_: str = "") -> None:
        """Point a label to a version, by compare-and-set.

        Args:
            name: the model.
            label: the label.
            number: the version.
            id_: the manifest's id of the version that is meant; empty is any.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: another version has the number by now, or others change the
                label again and again.
        """
        _check_name(name)
        self.check_writable()
        key = f"labels/{name}/{label}.json"
        id_ = self._check_version(name, number, id_)
        pointed = {"version": number, "id": id_, "by": uuid.uuid4().hex}
        content = json.dumps(pointed).encode()
        self._compare_and_set(key, content, label)
        try:
            # Somebody may have deleted the version between the look and the write.
            self._check_version(name, number, id_)
        except (ModelNotFound, ConflictError):
            found = self._bucket.read(key)
            if found and found[0] == content:
                self._bucket.delete(key)
            raise
        finally:
            self._say_changed(name)

    def delete_label(self, name: str, label: str) -> int:
        """Delete a label; return the number that it pointed to.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
        """
        _check_name(name)
        self.check_writable()
        key = f"labels/{name}/{label}.json"
        entry = self._model(name)
        if label not in entry.labels:
            raise ModelNotFound(f"model {name!r} has no label {label[:64]!r}")
        self._bucket.delete(key)
        self._say_changed(name)
        return entry.labels[label]

    def set_unloaded(self, name: str, is_unloaded: bool) -> None:
        """Mark a model as unloaded on all machines, or take the mark away.

        Raises:
            ModelNotFound: there is no such model.
        """
        self._model(name)
        self.check_writable()
        key = f"labels/{name}/{_UNLOADED}.json"
        if is_unloaded:
            self._bucket.put(key, b"{}")
        else:
            self._bucket.delete(key)
        self._say_changed(name)

    def delete(self, name: str) -> None:
        """Delete a model with all its versions.

        Raises:
            ModelNotFound: there is no such model.
        """
        entry = self._model(name)
        self.check_writable()
        # The version that serves goes last, and with its labels. So no machine sees
        # that another version serves in between.
        for number in sorted(entry.versions, key=entry.serves.__eq__):
            self._bucket.delete(_version_key(name, number))
        for label in (*entry.pointers, _UNLOADED):
            self._bucket.delete(f"labels/{name}/{label}.json")
        self._say_changed(name)
        self._sweep(name)

    def delete_version(self, name: str, number: int) -> None:
        """Delete one version of a model.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: a label points to it.
        """
        entry = self._model(name)
        self.check_writable()
        if number not in entry.versions:
            raise ModelNotFound(f"model {name!r} has no version {number}")
        _check_unlabelled(entry, number)
        deleted = entry.versions[number].manifest
        label = self._withdraw(name, number, deleted.to_json(), deleted.id)
        self._say_changed(name)
        if label:
            raise _labelled(name, number, label)
        self._sweep(name)

    def _withdraw(self, name: str, number: int, content: bytes, id_: str = "") -> str:
        """Delete a version's manifest, and put it back if a label came meanwhile.

        Args:
            name: the model.
            number: the version.
            content: the manifest.
            id_: only labels of this manifest's id matter; empty is any.

        Returns:
            The label for which the version stays; empty if it is deleted.
        """
        self._bucket.delete(_version_key(name, number))
        # A label may have been set after the look. Its setter looks for the version
        # after that, so one of the two sees the other.
        labels = [
            label
            for label, pointed in self._pointers(name).items()
            if pointed.number == number and id_ in ("", pointed.id)
        ]
        if not labels:
            return ""
        self._bucket.create(_version_key(name, number), content)
        return min(labels)

    def _announce(self, name: str, manifest: Manifest) -> int:
        """Create the manifest under the next number that is free; return the number."""
        content = manifest.to_json()
        number = max((0, *self._numbers(name))) + 1
        lost = 0
        while True:
            if not VERSION_NAME.fullmatch(str(number)):
                raise ConflictError(
                    f"version {number - 1} of {name!r} is the highest number that a"
                    " version may have; delete it, or publish under another name"
                )
            key = _version_key(name, number)
            try:
                if self._bucket.create(key, content):
                    return number
                found = self._bucket.read(key)
            except StoreUnreachable:
                # The answer may be lost, and the manifest there. The same number is
                # tried again, where it is found.
                lost += 1
                if lost == _TRIES:
                    raise
                continue
            if found is None:  # somebody deleted it at once
                continue
            if found[0] == content:
                return number
            number += 1

    def _upload(
        self,
        name: str,
        files: Mapping[str, Path],
        blobs: Mapping[str, Blob],
        used: Collection[Blob] = (),
    ) -> None:
        """Write the files that the store does not have, or could lose in a sweep.

        Args:
            name: the model.
            files: the files, by their names.
            blobs: their contents, by their names.
            used: the contents that the version has already.
        """
        there = self._bucket.list(f"blobs/{name}/")
        missing: dict[str, Path] = {}
        reused: dict[str, Path] = {}
        for file, blob in blobs.items():
            key = _blob_key(name, blob)
            if key not in there or there[key].size != blob.size:
                missing[key] = files[file]
            elif blob not in used:
                reused[key] = files[file]
        if reused:
            # A sweep takes old files that no manifest names. If it runs at this moment,
            # it sees by the new time that somebody needs the file.
            until = self._bucket.time() - self._grace_seconds / 2
            old = (key for key in reused if there[key].changed < until)
            missing |= {key: reused[key] for key in old}
        _each(lambda key: self._bucket.put(key, missing[key]), missing)

    def _compare_and_set(self, key: str, content: bytes, label: str) -> None:
        lost = 0
        for _ in range(_CONFLICTS):
            try:
                found = self._bucket.read(key)
                if found is None:
                    if self._bucket.create(key, content):
                        return
                elif found[0] == content or self._bucket.replace(
                    key, content, found[1]
                ):
                    return
            except StoreUnreachable:
                lost += 1
                if lost == _TRIES:
                    raise
        raise ConflictError(
            f"others are changing the label {label[:64]!r} at this moment; set it again"
        )

    def _check_version(self, name: str, number: int, id_: str) -> str:
        found = self._bucket.read(_version_key(name, number))
        if found is None:
            self._model(name)
            raise ModelNotFound(f"model {name!r} has no version {number}")
        manifest = _manifest_of(name, number, found[0])
        if id_ and manifest.id != id_:
            raise ConflictError(
                f"version {number} of {name!r} was deleted and published anew"
                " meanwhile; look at it, and set the label again"
            )
        return manifest.id

    def _model(self, name: str) -> Entry:
        if (entry := self.look(name)) is None:
            raise no_model(name)
        return entry

    def _numbers(self, name: str) -> list[int]:
        keys = self._bucket.list(f"versions/{name}/")
        found = filter(None, map(_VERSION_KEY.fullmatch, keys))
        return [int(match[2]) for match in found]

    def _pointers(self, name: str) -> Mapping[str, Pointed]:
        entries = self._entries({}, self._bucket.list(f"labels/{name}/"), {}, bare=True)
        return entries[name].pointers if name in entries else {}

    def _trim(self, name: str) -> None:
        """Delete the oldest versions without a label, down to ``keep`` of them."""
        try:
            extra = self._extra(name) if self._keep else []
            for number in extra:
                found = self._bucket.read(_version_key(name, number))
                if found and not self._withdraw(name, number, found[0]):
                    logger.info("trimmed %s version %d", name, number)
            if extra:
                self._say_changed(name)
            self._sweep(name)
        except StoreError as ex:  # the new version stays published
            logger.warning("%s: old versions cannot be deleted: %s", name, ex)

    def _extra(self, name: str) -> list[int]:
        labelled = {pointed.number for pointed in self._pointers(name).values()}
        numbers = [n for n in sorted(self._numbers(name)) if n not in labelled]
        return numbers[: -self._keep]

    def _sweep(self, name: str) -> None:
        """Remove the files that no version of a model needs."""
        # The files are listed first: a file that came later belongs to an upload.
        blobs = self._bucket.list(f"blobs/{name}/")
        # A model without versions is gone, and nobody would sweep it later.
        is_gone = not self._numbers(name)
        until = self._bucket.time() - self._grace_seconds if blobs else 0.0
        old = [
            key for key, listed in blobs.items() if is_gone or listed.changed < until
        ]
        if not old:
            return
        entry = self.look(name)
        versions = entry.versions.values() if entry else ()
        needed = {
            _blob_key(name, blob)
            for version in versions
            for blob in version.manifest.files.values()
        }
        for key in old:
            if key in needed:
                continue
            # A publisher may need the file since the look: it has written the file
            # anew, or has published the first version of a model that was gone.
            if self._bucket.changed(key) != blobs[key].changed:
                continue
            if is_gone and self._numbers(name):
                return
            self._bucket.delete(key)

    def _say_changed(self, name: str) -> None:
        """Add to the list of changes, so that other machines look at this model."""
        change = Change(uuid.uuid4().hex, name)
        try:
            for _ in range(_CONFLICTS):
                found = self._bucket.read(_CHANGED)
                if found is None:
                    if self._bucket.create(_CHANGED, json.dumps([change]).encode()):
                        return
                    continue
                recent = [*_read_changes(found[0]), change][-RECENT:]
                if self._bucket.replace(
                    _CHANGED, json.dumps(recent).encode(), found[1]
                ):
                    return
            # The others do not find the last change that they know, and list all.
            self._bucket.put(_CHANGED, json.dumps([change]).encode())
        except StoreUnreachable as ex:
            # The machines list the whole store now and then, and see the change then.
            logger.warning("other machines will see the change later: %s", ex)

    def _entries(
        self,
        known: Mapping[str, Entry],
        labels: Mapping[str, Listed],
        versions: Mapping[str, Listed],
        *,
        bare: bool = False,
    ) -> dict[str, Entry]:
        found: dict[str, dict[int, Published]] = {}
        pointers: dict[str, dict[str, Pointed]] = {}
        unloaded: set[str] = set()
        unread: list[tuple[str, str, int | str, str]] = []
        for key, listed in sorted(versions.items()):
            match = _VERSION_KEY.fullmatch(key)
            if match is None or not MODEL_NAME.fullmatch(match[1]):
                continue
            name, number = match[1], int(match[2])
            old = known[name].versions.get(number) if name in known else None
            if old and old.tag == listed.tag:
                found.setdefault(name, {})[number] = old
            else:
                unread.append((key, name, number, listed.tag))
        for key, listed in sorted(labels.items()):
            match = _LABEL_KEY.fullmatch(key)
            if match is None or not MODEL_NAME.fullmatch(match[1]):
                continue
            name, label = match[1], match[2]
            if label == _UNLOADED:
                unloaded.add(name)
            elif LABEL_NAME.fullmatch(label):
                point = known[name].pointers.get(label) if name in known else None
                if point and point.tag == listed.tag:
                    pointers.setdefault(name, {})[label] = point
                else:
                    unread.append((key, name, label, listed.tag))
        read = _each(lambda one: self._bucket.read(one[0]), unread)
        for (key, name, what, _), content in zip(unread, read, strict=True):
            if content is None:
                continue  # it was deleted after the listing
            try:
                # The tag of what was read, which may be newer than the listing.
                if isinstance(what, int):
                    manifest = Manifest.from_json(content[0])
                    found.setdefault(name, {})[what] = Published(content[1], manifest)
                else:
                    label = json.loads(content[0])
                    pointers.setdefault(name, {})[what] = Pointed(
                        content[1], int(label["version"]), str(label["id"])
                    )
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                logger.warning("the object %s is no part of a store of models", key)
        names = {*found, *(pointers if bare else ())}
        return {
            name: Entry(
                name,
                dict(sorted(found.get(name, {}).items())),
                dict(sorted(pointers.get(name, {}).items())),
                name in unloaded,
            )
            for name in sorted(names)
        }


def _read_changes(content: bytes) -> list[Change]:
    try:
        return [Change(str(id_), str(name)) for id_, name in json.loads(content)]
    except (ValueError, TypeError):
        return []


def _each(call: Callable[[T], R], values: Iterable[T]) -> list[R]:
    """Call a function for each value, several at a time; return what it returns."""
    given = list(values)
    if len(given) < 2:
        return [call(value) for value in given]
    with ThreadPoolExecutor(_AT_A_TIME, "objects") as threads:
        return list(threads.map(call, given))


def _blobs_of(files: Mapping[str, Path]) -> dict[str, Blob]:
    return {
        name: Blob(sha256_of(path), path.stat().st_size) for name, path in files.items()
    }


def _params_of(folder: Path) -> dict[str, object]:
    try:
        content = json.loads((folder / PARAMS).read_bytes())
    except (OSError, ValueError, RecursionError):  # a bare model has none
        return {}
    return content if isinstance(content, dict) else {}


def _manifest_of(name: str, number: int, content: bytes) -> Manifest:
    try:
        return Manifest.from_json(content)
    except ValueError as ex:
        raise StoreError(
            f"the object store's manifest of {name!r} version {number} is damaged"
        ) from ex


def _version_key(name: str, number: int) -> str:
    return f"versions/{name}/{number}.json"


def _blob_key(name: str, blob: Blob) -> str:
    return f"blobs/{name}/{blob.sha256}"


def _check_name(name: str) -> None:
    # The name may come from a client, and becomes a part of a key.
    if not MODEL_NAME.fullmatch(name):
        raise no_model(name)


def _check_unlabelled(entry: Entry, number: int) -> None:
    for label, labelled in entry.labels.items():
        if labelled == number:
            raise _labelled(entry.name, number, label)


def _labelled(name: str, number: int, label: str) -> ConflictError:
    return ConflictError(
        f"version {number} of {name!r} is labelled {label!r}; move or delete the label"
        " first"
    )
