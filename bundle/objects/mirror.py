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
from pathlib import Path

from bundle.errors import (
    BundleError,
    ModelNotFound,
    StoreError,
    StoreUnreachable,
)
from bundle.objects.change_list import RECENT
from bundle.objects.entry import Entry
from bundle.objects.index import Index
from bundle.objects.local_copy import WAIT_SECONDS, LocalCopy
from bundle.objects.object_store import ObjectStore
from bundle.objects.room import ENDLESS, Room
from bundle.params import MODEL_NAME
from bundle.store_errors import no_label, no_model, no_version

logger = logging.getLogger(__name__)


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
        self.index = Index(root)
        self.copy = LocalCopy(objects, root)
        self.local = self.copy.store
        self.room = Room(self.copy, self.index, max_bytes)
        # The last change that was seen; empty before the first, None before any look.
        self._last: str | None = None
        # Models to be made like the index, and models to be looked at in the store.
        self._behind: set[str] = set()
        self._unread: set[str] = set()
        # The reasons that the log has, by model.
        self._told: dict[str, str] = {}

    def sweep(self) -> None:
        """Remove what crashes left; call it at the start."""
        self.local.sweep()

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
        self.room.make()

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
        failure = self.copy.bring(entry, (entry.serves, *entry.labels.values()))
        # Without the version that serves, another one would serve in its place.
        if self.copy.has(entry, entry.serves):
            self.copy.set_labels(entry)
            self.copy.remove_deleted(entry)
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
            failure = self.copy.bring(entry, (entry.serves, wanted))
            if failure:
                raise failure
            # The other labels follow when their versions have come.
            self.copy.set_labels(entry)
        self.room.make(name)

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
                failure := self.copy.bring(entry, (entry.serves,))
            ):
                raise failure
            if not self.copy.has(entry, number):
                self.copy.place(entry, number, staged)
            self.copy.set_labels(entry)
            self.copy.remove_deleted(entry)
        self.copy.uses.note(name, number)
        self.room.make(name)

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


def _word(ex: Exception) -> str:
    """Return the sentence of an error; an error of the disk names no folder."""
    return (ex.strerror or "the disk fails") if isinstance(ex, OSError) else str(ex)
