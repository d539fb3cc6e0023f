"""The labels of the models in a store of objects, which are set by compare-and-set."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable

from bundle.errors import ConflictError, StoreUnreachable
from bundle.objects.bucket import CONFLICTS, TRIES, Bucket
from bundle.objects.keys import UNLOADED, label_key


class ObjectLabels:
    """The labels of a bucket, and the marks of unloaded models.

    Each operation may raise ``StoreUnreachable``.

    Args:
        bucket: the bucket.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def write(self, name: str, label: str, number: int, id_: str) -> bytes:
        """Point a label to a version, or move it there.

        Args:
            name: the model.
            label: the label.
            number: the version.
            id_: the id of the version's manifest.

        Returns:
            The label's content, which tells this change from all others.

        Raises:
            ConflictError: others change the label again and again.
        """
        key = label_key(name, label)
        pointed = {"version": number, "id": id_, "by": uuid.uuid4().hex}
        content = json.dumps(pointed).encode()
        lost = 0
        for _ in range(CONFLICTS):
            try:
                if self._bucket.update(key, lambda before: content):
                    return content
            except StoreUnreachable:
                lost += 1
                if lost == TRIES:
                    raise
        raise ConflictError(
            f"others are changing the label {label[:64]!r} at this moment; set it again"
        )

    def take_back(self, name: str, label: str, content: bytes) -> None:
        """Delete a label if it still has the content that ``write`` returned."""
        found = self._bucket.read(label_key(name, label))
        if found and found[0] == content:
            self.delete(name, label)

    def delete(self, name: str, label: str) -> None:
        """Delete a label, if it is there."""
        self._bucket.delete(label_key(name, label))

    def delete_all(self, name: str, labels: Iterable[str]) -> None:
        """Delete all labels of a model that has no versions any more, and its mark."""
        for label in (*labels, UNLOADED):
            self.delete(name, label)

    def set_unloaded(self, name: str, is_unloaded: bool) -> None:
        """Mark a model as unloaded, or take the mark away."""
        if is_unloaded:
            self._bucket.put(label_key(name, UNLOADED), b"{}")
        else:
            self.delete(name, UNLOADED)
