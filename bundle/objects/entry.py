"""An entry: the versions and the labels of one model in an object store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from bundle.objects.manifest import Manifest
from bundle.version_labels import STABLE


@dataclass(frozen=True, slots=True)
class Published:
    """A version, as the store has it.

    Attributes:
        tag: the store's mark of the manifest.
        manifest: the manifest.
    """

    tag: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Pointed:
    """A label.

    Attributes:
        tag: the store's mark of the label.
        number: the version that it points to.
        id: the id of that version's manifest. A later version with the number has
            another id, and this label does not point to it.
    """

    tag: str
    number: int
    id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One model.

    Attributes:
        name: its name.
        versions: its versions, by number, lowest first.
        pointers: its labels, by name, sorted.
        unloaded: somebody unloaded it.
    """

    name: str
    versions: Mapping[int, Published]
    pointers: Mapping[str, Pointed] = field(default_factory=dict)
    unloaded: bool = False

    @property
    def labels(self) -> dict[str, int]:
        """The versions that labels point to; labels of missing ones are left out."""
        return {
            label: pointed.number
            for label, pointed in self.pointers.items()
            if pointed.number in self.versions
            and self.versions[pointed.number].manifest.id == pointed.id
        }

    @property
    def serves(self) -> int:
        """The version that answers requests which name none."""
        return self.labels.get(STABLE) or max(self.versions)

    def find(self, number: int | None, label: str | None) -> int | None:
        """Return the number of the version that is meant; None without it."""
        if number is not None:
            return number if number in self.versions else None
        if label is not None:
            return self.labels.get(label)
        return self.serves

    def to_json(self) -> str:
        """Return the entry as text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: bytes) -> Entry:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            content = json.loads(text)
            return Entry(
                content["name"],
                {
                    int(number): Published(
                        version["tag"],
                        Manifest.from_json(json.dumps(version["manifest"])),
                    )
                    for number, version in content["versions"].items()
                },
                {
                    label: Pointed(pointed["tag"], pointed["number"], pointed["id"])
                    for label, pointed in content["pointers"].items()
                },
                content["unloaded"],
            )
        except (KeyError, TypeError, AttributeError) as ex:
            raise ValueError("it is no entry of the index") from ex
