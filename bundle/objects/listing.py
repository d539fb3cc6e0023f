"""A listing of the manifests and labels, of which the models' entries are made."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import NamedTuple

from bundle.objects.bucket import Listed
from bundle.objects.entry import Entry, Pointed, Published
from bundle.objects.keys import UNLOADED, read_label_key, read_version_key
from bundle.objects.manifest import Manifest

logger = logging.getLogger(__name__)


class Unread(NamedTuple):
    """A manifest or a label whose content must be read.

    Attributes:
        key: its key.
        name: the model.
        what: a version's number, or a label.
    """

    key: str
    name: str
    what: int | str


class Listing:
    """The objects that tell what the models are.

    Args:
        known: the models as they were; what has not changed is taken from there.
        labels: the objects below ``labels/``, by their keys.
        versions: the objects below ``versions/``, by their keys.

    Attributes:
        pointers: the labels, by the model's name, and those of no version, too.
        unread: the objects that are new, or have changed.
    """

    def __init__(
        self,
        known: Mapping[str, Entry],
        labels: Mapping[str, Listed],
        versions: Mapping[str, Listed],
    ) -> None:
        self._known = known
        self._versions: dict[str, dict[int, Published]] = {}
        self._unloaded: set[str] = set()
        self.pointers: dict[str, dict[str, Pointed]] = {}
        self.unread: list[Unread] = []
        for key, listed in sorted(versions.items()):
            if version := read_version_key(key):
                self._note_version(key, *version, listed.tag)
        for key, listed in sorted(labels.items()):
            if label := read_label_key(key):
                self._note_label(key, *label, listed.tag)

    def take(self, unread: Unread, content: bytes, tag: str) -> None:
        """Take the content of an object that was unread.

        Args:
            unread: the object.
            content: its content. One that is no manifest or label is passed over.
            tag: the tag of what was read, which may be newer than the listing.
        """
        key, name, what = unread
        try:
            if isinstance(what, int):
                published = Published(tag, Manifest.from_json(content))
                self._versions.setdefault(name, {})[what] = published
            else:
                label = json.loads(content)
                pointed = Pointed(tag, int(label["version"]), str(label["id"]))
                self.pointers.setdefault(name, {})[what] = pointed
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            logger.warning("the object %s is no part of a store of models", key)

    def entries(self) -> dict[str, Entry]:
        """Return the models that have a version, by name, sorted."""
        return {
            name: Entry(
                name,
                dict(sorted(versions.items())),
                dict(sorted(self.pointers.get(name, {}).items())),
                name in self._unloaded,
            )
            for name, versions in sorted(self._versions.items())
        }

    def _note_version(self, key: str, name: str, number: int, tag: str) -> None:
        known = self._known[name].versions.get(number) if name in self._known else None
        if known and known.tag == tag:
            self._versions.setdefault(name, {})[number] = known
        else:
            self.unread.append(Unread(key, name, number))

    def _note_label(self, key: str, name: str, label: str, tag: str) -> None:
        known = self._known[name].pointers.get(label) if name in self._known else None
        if label == UNLOADED:
            self._unloaded.add(name)
        elif known and known.tag == tag:
            self.pointers.setdefault(name, {})[label] = known
        else:
            self.unread.append(Unread(key, name, label))
