import pytest

from runtime import server
from runtime.config import Config


@pytest.mark.parametrize(
    ("settings", "has_cuda", "workers"),
    [
        ({}, False, 6),
        ({}, True, 1),
        ({"provider": "cpu"}, True, 6),
        ({"provider": "cuda"}, False, 1),
        ({"workers": 3}, True, 3),
    ],
)
def test_one_worker_a_core_and_one_in_all_on_cuda(
    monkeypatch, settings, has_cuda, workers
):
    monkeypatch.setattr(server, "usable_cores", lambda: 6)
    monkeypatch.setattr(server, "_has_cuda", lambda: has_cuda)
    assert server.count_workers(Config(**settings)) == workers
