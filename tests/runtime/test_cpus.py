import os

import pytest

from runtime.cpus import usable_cpus


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("9900000 100000\n", 8),
        ("junk\n", 8),
    ],
)
def test_a_containers_quota_bounds_the_cores(eight_cores, tmp_path, content, cpus):
    """The kernel's format: Documentation/admin-guide/cgroup-v2.rst, cpu.max."""
    (tmp_path / "cpu.max").write_text(content)
    assert usable_cpus(tmp_path) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", 8), ("300000", 3)])
def test_control_groups_of_version_1_are_read_too(eight_cores, tmp_path, quota, cpus):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(tmp_path) == cpus


def test_without_control_groups_it_is_the_affinity(eight_cores, tmp_path):
    assert usable_cpus(tmp_path) == 8
