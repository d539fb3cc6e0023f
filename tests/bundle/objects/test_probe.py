"""Stores that do not keep conditions."""

from __future__ import annotations

import pytest
from obstore.store import MemoryStore

from bundle.errors import StoreError
from bundle.objects.bucket import Bucket
from bundle.objects.object_store import ObjectStore
from tests.bundle.objects.asking import keys_of, publish
from tests.examples import write_bundle


class Careless(Bucket):
    def create(self, key, content):
        self.put(key, content)
        return True


class Forgetful(Bucket):
    def swap(self, key, content, there):
        self.put(key, content)
        return True


@pytest.mark.parametrize("kind", [Careless, Forgetful])
def test_a_store_that_ignores_conditions_is_refused_for_writing(kind, tmp_path):
    memory = MemoryStore()
    folder = write_bundle(tmp_path / "bundle")
    with pytest.raises(StoreError, match="a version could be lost"):
        publish(ObjectStore(kind(memory)), folder)
    assert keys_of(memory, "") == []
