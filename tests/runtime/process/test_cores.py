import os

import pytest

from runtime.process.cores import usable_cores


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that fakes a machine of eight cores, with cgroup files."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))

    def build(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return build


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        # docker run --cpus 2.5 makes this: the container sees its own group as the
        # root.
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000"}, 3),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "5000 100000"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "junk"}, 8),
        # systemd's CPUQuota= limits the service, or the slice that holds it.
        (
            {
                "proc/self/cgroup": "0::/system.slice/tfaas.service\n",
                "sys/fs/cgroup/system.slice/cpu.max": "200000 100000",
                "sys/fs/cgroup/system.slice/tfaas.service/cpu.max": "max 100000",
            },
            2,
        ),
        # Version 1 of cgroups has a hierarchy for each controller.
        (
            {
                "proc/self/cgroup": "5:memory:/docker/0\n4:cpu,cpuacct:/docker/0\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            8,
        ),
    ],
)
def test_a_quota_is_fewer_cores_than_the_machine_has(machine, files, cores):
    assert usable_cores(machine(files)) == cores


def test_a_quota_of_more_cores_than_the_affinity_gives_changes_nothing(
    machine, monkeypatch
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 100000"}
    assert usable_cores(machine(files)) == 1
