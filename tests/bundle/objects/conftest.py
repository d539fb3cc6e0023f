"""An object store in memory, and machines that serve from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from bundle.errors import StoreUnreachable
from bundle.objects.bucket import Bucket
from bundle.objects.mirror import Mirror
from bundle.objects.mirrored_store import MirroredStore
from bundle.objects.object_store import ObjectStore
from tests.examples import write_bundle


class ShakyBucket(Bucket):
    """A bucket that can be made to fail, and that counts its requests.

    Attributes:
        is_down: every request fails.
        hook: it is called before each write, with the operation and the key.
        counts: the number of requests, by operation.
        later: the store's clock is so many seconds ahead.
    """

    def __init__(self, store):
        super().__init__(store)
        self.is_down = False
        self.hook = lambda operation, key: None
        self.counts = {}
        self.later = 0.0

    def _ask(self, operation, key):
        self.counts[operation] = self.counts.get(operation, 0) + 1
        if self.is_down:
            raise StoreUnreachable("the object store does not answer")
        self.hook(operation, key)

    def read(self, key):
        self._ask("read", key)
        return super().read(key)

    def create(self, key, content):
        self._ask("create", key)
        return super().create(key, content)

    def replace(self, key, content, tag):
        self._ask("replace", key)
        return super().replace(key, content, tag)

    def put(self, key, content):
        self._ask("put", key)
        super().put(key, content)

    def fetch(self, key, path, size):
        self._ask("fetch", key)
        return super().fetch(key, path, size)

    def list(self, prefix):
        self._ask("list", prefix)
        return super().list(prefix)

    def delete(self, key):
        self._ask("delete", key)
        super().delete(key)

    def changed(self, key):
        self._ask("changed", key)
        return super().changed(key)

    def time(self):
        return super().time() + self.later


class Machine:
    """One machine: its connection to the object store, and its copy of the models."""

    def __init__(self, memory: MemoryStore, root: Path, keep: int = 0, **given) -> None:
        self.bucket = ShakyBucket(memory)
        self.objects = ObjectStore(self.bucket, keep)
        self.mirror = Mirror(self.objects, root, **given)
        self.store = MirroredStore(self.mirror)

    def publish(self, factor: int = 1, name: str = "linear") -> int:
        """Publish a bundle whose files tell it from others."""

        def write(folder: Path) -> None:
            write_bundle(
                folder, name=name, onnx_bytes=b"%d" % factor, params={"factor": factor}
            )

        return self.store.install(write, lambda staged: name).number

    def here(self, name: str = "linear") -> list[int]:
        """Return the versions whose files are on this machine."""
        return self.mirror.local.versions(name)


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def machine(memory: MemoryStore, tmp_path: Path) -> Callable[..., Machine]:
    """Return a function that makes a machine with this name."""

    def make(name: str = "one", **given) -> Machine:
        return Machine(memory, tmp_path / name, **given)

    return make
