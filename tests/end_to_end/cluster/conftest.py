"""The cluster of Ray that the tests of this folder share; it takes 10 s to start."""

import pytest

from tests.cluster import ray_cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Return a cluster of two nodes, each of which says it has two processors."""
    # The path of a socket has at most 107 letters.
    with ray_cluster(tmp_path_factory.mktemp("ray")) as running:
        yield running
