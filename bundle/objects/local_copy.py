"""The copy of an object store on this machine: versions come here whole, or leave.

A file is compared with its sha256 before its version becomes visible, and a version is
here before a label points to it. The caller holds the model's lock (``Index.alone``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from bundle.errors import BundleError, StoreError
from bundle.objects.entry import Entry, Published
from bundle.objects.manifest import Blob, Manifest
from bundle.objects.object_reader import ObjectReader
from bundle.objects.uses import Uses
from bundle.staging import Staging, locked, replace_files, sync, sync_tree
from bundle.store import ModelStore
from bundle.variants import EXPORTED
from bundle.version import touch

logger = logging.getLogger(__name__)

# The file in a version's folder that tells which manifest it was made from.
RECORD = ".objects.json"
# Another process may fetch a large model meanwhile.
WAIT_SECONDS = 300.0


class LocalCopy:
    """The versions and labels of an object store, as far as they are on this machine.

    Args:
        objects: the object store.
        root: the copy's folder.

    Attributes:
        store: the folder, as an ordinary store.
        uses: the versions that processes of this machine have in memory.
    """

    def __init__(self, objects: ObjectReader, root: Path) -> None:
        self._objects = objects
        self._root = root
        self._staging = Staging(root)
        self.store = ModelStore(root)
        self.uses = Uses(root)

    def record(self, name: str, number: int) -> Manifest | None:
        """Return the manifest that a version here was made from; None without one."""
        path = self._root / name / str(number) / RECORD
        try:
            return Manifest.from_json(path.read_bytes())
        except (OSError, ValueError):
            return None

    def bring(self, entry: Entry, numbers: Iterable[int]) -> Exception | None:
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
        if not self.has(entry, number):
            with self._staging.folder() as staged:
                self._fetch(entry, number, staged)
                self.place(entry, number, staged)
            self.uses.note(name, number)
        elif self._differs(entry, number):
            self._revise(entry, number)
        else:
            return
        logger.info("fetched %s version %d", name, number)

    def has(self, entry: Entry, number: int) -> bool:
        """Tell whether a version is here, and is the one that the store has."""
        record = self.record(entry.name, number)
        return bool(record and record.id == entry.versions[number].manifest.id)

    def _differs(self, entry: Entry, number: int) -> bool:
        record = self.record(entry.name, number)
        return bool(record and record.files != entry.versions[number].manifest.files)

    def _fetch(self, entry: Entry, number: int, staged: Path) -> None:
        for name, blob in entry.versions[number].manifest.files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._objects.fetch(entry.name, blob, path)

    def place(self, entry: Entry, number: int, staged: Path) -> None:
        """Make a version visible here, by one rename of the folder with its files."""
        published: Published = entry.versions[number]
        (staged / RECORD).write_bytes(published.manifest.to_json())
        sync_tree(staged)
        folder = self._root / entry.name / str(number)
        if folder.exists():  # an earlier version had the number, or a crash left it
            self.remove(entry.name, number)
        folder.parent.mkdir(exist_ok=True)
        staged.rename(folder)
        sync(folder.parent)

    def _revise(self, entry: Entry, number: int) -> None:
        """Give a version the files that came later, such as model.onnx."""
        folder = self._root / entry.name / str(number)
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
                self._objects.fetch(entry.name, new.files[name], fetched[name])
            with locked(folder, seconds=WAIT_SECONDS):
                for name, path in fetched.items():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    replace_files((folder / name).parent, {Path(name).name: path})
                for name in old.keys() - new.files.keys():
                    if name in EXPORTED:
                        (folder / name).unlink(missing_ok=True)
                replace_files(folder, {RECORD: new.to_json()})
        touch(folder.parent)

    def set_labels(self, entry: Entry) -> None:
        """Set the labels whose versions are here, and remove those that are gone."""
        here = set(self.store.versions(entry.name))
        before = self.store.labels(entry.name)
        for label, number in entry.labels.items():
            if number in here and before.get(label) != number:
                self.store.set_label(entry.name, label, number)
        for label in before.keys() - entry.labels.keys():
            self.store.delete_label(entry.name, label)
        if here and self.store.is_unloaded(entry.name) != entry.unloaded:
            self.store.set_unloaded(entry.name, entry.unloaded)

    def remove(self, name: str, number: int) -> None:
        """Remove a version from this machine, and the labels that point to it here."""
        for label, pointed in self.store.labels(name).items():
            if pointed == number:
                self.store.delete_label(name, label)
        self.store.delete_version(name, number)

    def remove_deleted(self, entry: Entry) -> None:
        """Remove the versions that the store has no more."""
        labelled = set(self.store.labels(entry.name).values())
        for number in self.store.versions(entry.name):
            if number and number not in entry.versions and number not in labelled:
                self.store.delete_version(entry.name, number)
