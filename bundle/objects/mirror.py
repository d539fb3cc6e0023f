"""The mirror: it keeps a folder of this machine like an object store.

The folder is an ordinary store, in which the service finds what serves by one ``stat``.
A model comes here when somebody first asks for it. From then on a new version of it is
fetched, and each file compared with its sha256, before the version or a label on it
becomes visible here. So an answer never waits for the network, and what is loaded
serves on while the store cannot be reached.

A model is here if the version that serves is. So its labels, and those of no label, can
be trusted in this folder alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from bundle.errors import (
    BundleError,
    ModelNotFound,
    StoreError,
    StoreUnreachable,
)
from bundle.objects.entry import Entry, Published
from bundle.objects.index import Index
from bundle.objects.manifest import Blob, Manifest
from bundle.objects.object_store import RECENT, ObjectStore
from bundle.objects.uses import Uses
from bundle.params import MODEL_NAME
from bundle.staging import Staging, locked, replace_files, sync, sync_tree
from bundle.store import ModelStore
from bundle.store_errors import no_label, no_model, no_version
from bundle.trash import Trash
from bundle.variants import EXPORTED
from bundle.version import touch

logger = logging.getLogger(__name__)

# The file in a version's folder that tells which manifest it was made from.
RECORD = ".objects.json"
# Another process may fetch a large model meanwhile.
WAIT_SECONDS = 300.0
ENDLESS = 1 << 62


class Mirror:
    """A copy of an object store on this machine.

    Args:
        objects: the object store.
        root: the copy's folder.
        max_bytes: the most bytes of the versions here; those unused longest go first,
            and those in memory stay in any case.
    """

    def __init__(
        self,
        objects: ObjectStore,
        root: Path,
        max_bytes: int = ENDLESS,
    ) -> None:
        self.objects = objects
        self.root = root
        self.local = ModelStore(root)
        self.index = Index(root)
        self.uses = Uses(root)
        self._max_bytes = max_bytes
        self._staging = Staging(root)
        # The last change that was seen; empty before the first, None before any look.
        self._last: str | None = None
        # Models to be made like the index, and models to be looked at in the store.
        self._behind: set[str] = set()
        self._unread: set[str] = set()
        # The reasons that the log has, by model.
        self._told: dict[str, str] = {}

    def sweep(self) -> None:
        """Remove what crashes left; call it at the start."""
        self._staging.sweep()
        Trash(self.root).sweep()

    def refresh(self, *, whole: bool = True) -> None:
        """Read what the store has, and bring the models that are here up to date.

        Args:
            whole: list the whole store; else look only at the models that its list of
                changes names.

        Raises:
            StoreUnreachable: the store cannot be read; what is here stays as it is.
        """
        try:
            changes = self.objects.changes()
            last = changes[-1].id if changes else ""
            ids = [change.id for change in changes]
            is_lost = (
                self._last not in ("", *ids)
                # The first of the changes may be missing in a list that is full.
                or (self._last == "" and len(ids) >= RECENT)
                or not self.index.state().read
            )
            if whole or is_lost:
                self._list(last)
            else:
                new = ids.index(self._last) + 1 if self._last in ids else 0
                self._unread |= {
                    change.name
                    for change in changes[new:]
                    if MODEL_NAME.fullmatch(change.name)
                }
                self._last = last
        except StoreError as ex:
            self.index.note(str(ex), behind=len(self._behind))
            raise
        self._behind |= {name for name in self.local.names() if self._is_behind(name)}
        # The store was read, though the files of large models may take minutes.
        self.index.note(behind=len(self._behind))
        for name in sorted(self._behind | self._unread):
            try:
                if name in self._unread:
                    self.refresh_model(name)
                    self._unread.discard(name)
                else:
                    self.follow(name)
                self._told.pop(name, None)
            except (StoreError, BundleError, OSError) as ex:
                # The other models go on, and this one is tried again at the next look.
                why = _word(ex)
                if self._told.get(name) != why:
                    logger.warning("%s cannot be brought up to date: %s", name, why)
                self._told[name] = why
        self.index.note(behind=len(self._behind))
        self.prune()

    def refresh_model(self, name: str) -> None:
        """Read what the store has of one model, and bring the model up to date here.

        Raises:
            StoreUnreachable: the store cannot be read, or a file cannot be fetched.
            BundleError: a file of the store is damaged.
        """
        self._behind.add(name)
        with self.index.alone(name, WAIT_SECONDS):
            # The store is read under the lock. Otherwise what somebody else has read
            # and written meanwhile could be newer.
            entry = self.objects.look(name, self.index.entry(name))
            if entry is None:
                with contextlib.suppress(ModelNotFound):
                    self.local.delete(name)
                self.index.forget(name)
            else:
                self.index.write(entry)
                self._follow(entry)
        self._behind.discard(name)

    def follow(self, name: str) -> None:
        """Make a model that is here like the index.

        Raises:
            StoreUnreachable: a file cannot be fetched; the model serves as before.
            BundleError: a file of the store is damaged.
        """
        with self.index.alone(name, WAIT_SECONDS):
            if entry := self.index.entry(name):
                self._follow(entry)
        self._behind.discard(name)

    def _follow(self, entry: Entry) -> None:
        if not self.local.versions(entry.name):
            return
        failure = self._bring(entry, (entry.serves, *entry.labels.values()))
        # Without the version that serves, another one would serve in its place.
        if self._is_here(entry, entry.serves):
            self._set_labels(entry)
            self._remove(entry)
        if failure:
            raise failure

    def bring(self, name: str, number: int | None, label: str | None) -> None:
        """Fetch a version that somebody asked for, and the version that serves.

        One fetches a model, and all others who ask for it meanwhile wait.

        Raises:
            ModelNotFound: the store has no such version.
            StoreUnreachable: the store cannot be read.
            BundleError: a file of the store is damaged.
        """
        self.wanted(name, number, label)
        with self.index.alone(name, WAIT_SECONDS):
            entry, wanted = self.wanted(name, number, label)
            failure = self._bring(entry, (entry.serves, wanted))
            if failure:
                raise failure
            # The other labels follow when their versions have come.
            self._set_labels(entry)
        self.prune(name)

    def wanted(
        self, name: str, number: int | None, label: str | None
    ) -> tuple[Entry, int]:
        """Find a version in the index, without a look at the store.

        Raises:
            ModelNotFound: the store has no such version.
            StoreUnreachable: nobody knows, because the store cannot be read.
        """
        entry = self.index.entry(name)
        found = entry.find(number, label) if entry else None
        if entry is not None and found is not None:
            return entry, found
        state = self.index.state()
        if state.failure or not state.read:
            raise StoreUnreachable(
                f"model {name[:128]!r} is not on this machine, and"
                f" {state.failure or 'the object store was not read yet'}"
            )
        if entry is None:
            raise no_model(name)
        if label is not None:
            raise no_label(name, label)
        raise no_version(name, str(number))

    def adopt(self, name: str, number: int, staged: Path) -> None:
        """Take a folder that was just published here, in place of a fetch.

        Raises:
            StoreUnreachable: the store cannot be read.
        """
        with self.index.alone(name, WAIT_SECONDS):
            entry = self.objects.look(name, self.index.entry(name))
            if entry is None or number not in entry.versions:
                raise no_model(name)
            self.index.write(entry)
            if entry.serves != number and (
                failure := self._bring(entry, (entry.serves,))
            ):
                raise failure
            if not self._is_here(entry, number):
                self._place(entry, number, staged)
            self._set_labels(entry)
            self._remove(entry)
        self.uses.note(name, number)
        self.prune(name)

    def record(self, name: str, number: int) -> Manifest | None:
        """Return the manifest that a version here was made from; None without one."""
        path = self.root / name / str(number) / RECORD
        try:
            return Manifest.from_json(path.read_bytes())
        except (OSError, ValueError):
            return None

    def prune(self, asked: str = "") -> None:
        """Remove the versions that were unused longest, until the rest has room.

        Args:
            asked: a model that somebody asks for at this moment, and that stays.
        """
        if self._max_bytes == ENDLESS:
            return
        sizes: dict[tuple[str, int], int] = {}
        for name in self.local.names():
            for number in filter(None, self.local.versions(name)):
                record = self.record(name, number)
                sizes[name, number] = record.size if record else 0
        too_many = sum(sizes.values()) - self._max_bytes
        for name, number in sorted(sizes, key=lambda key: self.uses.last(*key)):
            if too_many <= 0:
                return
            if name == asked and number in self._needed(name):
                continue
            with contextlib.suppress(ModelNotFound, TimeoutError, StoreError):
                if self._evict(name, number):
                    too_many -= sizes[name, number]
        if too_many > 0:
            logger.info("the models in memory take more than 'objectCacheBytes'")

    def _needed(self, name: str) -> set[int]:
        """Return the version that serves, and the one that was asked for last."""
        here = self.local.versions(name)
        last = max(here, key=lambda number: self.uses.last(name, number))
        return {self.local.serving(name), last}

    def _evict(self, name: str, number: int) -> bool:
        """Remove a version from this machine, unless it is in use or needed."""
        with (
            self.index.alone(name, 0.0),
            self.uses.unused(name, number) as is_unused,
        ):
            others = [n for n in self.local.versions(name) if n != number]
            # The version that serves goes last: without it, another one would serve.
            is_serving = self.local.serving(name) == number
            if not is_unused or (is_serving and others):
                return False
            for label, pointed in self.local.labels(name).items():
                if pointed == number:
                    self.local.delete_label(name, label)
            self.local.delete_version(name, number)
            logger.info("%s version %d makes room on this machine", name, number)
            return True

    def _is_behind(self, name: str) -> bool:
        """Tell whether a model that another process brought here lacks labels."""
        entry = self.index.entry(name)
        return entry is not None and self.local.labels(name) != entry.labels

    def _list(self, last: str) -> None:
        known = self.index.entries()
        found = self.objects.snapshot(known)
        self._last = last
        for name, entry in found.items():
            if entry == known.get(name):
                continue
            with self.index.alone(name, WAIT_SECONDS):
                if self.index.entry(name) == known.get(name):
                    self.index.write(entry)
                else:
                    # A publisher on this machine has looked meanwhile, and may have
                    # seen more or less. So the next look lists the store again.
                    self._last = None
            self._behind.add(name)
        self._behind |= {name for name in self.local.names() if name in found}
        # A model that is missing may also have been published after the listing.
        self._unread |= {*known, *self.local.names()} - found.keys()

    def _bring(self, entry: Entry, numbers: Iterable[int]) -> Exception | None:
        """Fetch versions that are not here as the store has them; return what failed.

        The first number is that of the version that serves. Nothing comes without it.
        """
        failure: Exception | None = None
        for number in dict.fromkeys(numbers):
            try:
                self._bring_one(entry, number)
            except (BundleError, StoreError, OSError) as ex:
                failure = failure or ex
                if number == entry.serves:
                    break
        return failure

    def _bring_one(self, entry: Entry, number: int) -> None:
        name = entry.name
        if not self._is_here(entry, number):
            with self._staging.folder() as staged:
                self._fetch(entry, number, staged)
                self._place(entry, number, staged)
            self.uses.note(name, number)
        elif self._differs(entry, number):
            self._revise(entry, number)
        else:
            return
        logger.info("fetched %s version %d", name, number)

    def _is_here(self, entry: Entry, number: int) -> bool:
        record = self.record(entry.name, number)
        return bool(record and record.id == entry.versions[number].manifest.id)

    def _differs(self, entry: Entry, number: int) -> bool:
        record = self.record(entry.name, number)
        return bool(record and record.files != entry.versions[number].manifest.files)

    def _fetch(self, entry: Entry, number: int, staged: Path) -> None:
        for name, blob in entry.versions[number].manifest.files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self.objects.fetch(entry.name, blob, path)

    def _place(self, entry: Entry, number: int, staged: Path) -> None:
        """Make a version visible here, by one rename."""
        published: Published = entry.versions[number]
        (staged / RECORD).write_bytes(published.manifest.to_json())
        sync_tree(staged)
        folder = self.root / entry.name / str(number)
        if folder.exists():  # an earlier version had the number, or a crash left it
            for label, pointed in self.local.labels(entry.name).items():
                if pointed == number:
                    self.local.delete_label(entry.name, label)
            self.local.delete_version(entry.name, number)
        folder.parent.mkdir(exist_ok=True)
        staged.rename(folder)
        sync(folder.parent)

    def _revise(self, entry: Entry, number: int) -> None:
        """Give a version the files that came later, such as model.onnx."""
        folder = self.root / entry.name / str(number)
        new = entry.versions[number].manifest
        record = self.record(entry.name, number)
        old: Mapping[str, Blob] = record.files if record else {}
        changed = [name for name in new.files if new.files[name] != old.get(name)]
        # A proof is written before its model: a model without its proof is not served.
        changed.sort(key=lambda name: (name.endswith((".onnx", ".data")), name))
        with self._staging.folder() as staged:
            fetched: dict[str, Path] = {}
            for place, name in enumerate(changed):
                fetched[name] = staged / str(place)
                self.objects.fetch(entry.name, new.files[name], fetched[name])
            with locked(folder, seconds=WAIT_SECONDS):
                for name, path in fetched.items():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    replace_files((folder / name).parent, {Path(name).name: path})
                for name in old.keys() - new.files.keys():
                    if name in EXPORTED:
                        (folder / name).unlink(missing_ok=True)
                replace_files(folder, {RECORD: new.to_json()})
        touch(folder.parent)

    def _set_labels(self, entry: Entry) -> None:
        """Set the labels whose versions are here, and remove those that are gone."""
        here = set(self.local.versions(entry.name))
        before = self.local.labels(entry.name)
        for label, number in entry.labels.items():
            if number in here and before.get(label) != number:
                self.local.set_label(entry.name, label, number)
        for label in before.keys() - entry.labels.keys():
            self.local.delete_label(entry.name, label)
        if here and self.local.is_unloaded(entry.name) != entry.unloaded:
            self.local.set_unloaded(entry.name, entry.unloaded)

    def _remove(self, entry: Entry) -> None:
        """Remove the versions that the store has no more."""
        labelled = set(self.local.labels(entry.name).values())
        for number in self.local.versions(entry.name):
            if number and number not in entry.versions and number not in labelled:
                self.local.delete_version(entry.name, number)


def _word(ex: Exception) -> str:
    """Return the sentence of an error; an error of the disk names no folder."""
    return (ex.strerror or "the disk fails") if isinstance(ex, OSError) else str(ex)
