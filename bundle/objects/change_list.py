"""The list of the last changes, by which a machine learns which models to look at."""

from __future__ import annotations

import json
import logging
import uuid
from typing import NamedTuple

from bundle.errors import StoreUnreachable
from bundle.objects.bucket import CONFLICTS, Bucket
from bundle.objects.keys import CHANGED

logger = logging.getLogger(__name__)

# The list has so many changes.
RECENT = 100


class Change(NamedTuple):
    """A change of a model.

    Attributes:
        id: a random number, which tells it from other changes.
        name: the model.
    """

    id: str
    name: str


class ChangeList:
    """The last changes of all models, in one object.

    Args:
        bucket: the bucket.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read(self) -> list[Change]:
        """Return the last changes, oldest first.

        A change of a publisher that was killed may be missing.

        Raises:
            StoreUnreachable: the store does not answer.
        """
        found = self._bucket.read(CHANGED)
        return _changes_of(found[0] if found else None)

    def add(self, name: str) -> None:
        """Add a change, so that other machines look at this model."""
        change = Change(uuid.uuid4().hex, name)
        try:
            for _ in range(CONFLICTS):
                if self._bucket.update(
                    CHANGED,
                    lambda before: _content_of([*_changes_of(before), change]),
                ):
                    return
            # The others do not find the last change that they know, and list all.
            self._bucket.put(CHANGED, _content_of([change]))
        except StoreUnreachable as ex:
            # The machines list the whole store now and then, and see the change then.
            logger.warning("other machines will see the change later: %s", ex)


def _content_of(changes: list[Change]) -> bytes:
    return json.dumps(changes[-RECENT:]).encode()


def _changes_of(content: bytes | None) -> list[Change]:
    try:
        return [
            Change(str(id_), str(name)) for id_, name in json.loads(content or "[]")
        ]
    except (ValueError, TypeError):
        return []
