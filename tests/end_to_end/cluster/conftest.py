"""The cluster of Ray that the tests of this folder share; it takes 10 s to start."""

import tempfile
from pathlib import Path

import pytest

from tests.cluster import ray_cluster


@pytest.fixture(scope="session")
def cluster():
    """Return a cluster of two nodes, each of which says it has two processors."""
    # The path of a socket has at most 107 letters, and HAProxy's has 80 after this.
    with (
        tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder,
        ray_cluster(Path(folder)) as running,
    ):
        yield running
