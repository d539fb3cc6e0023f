"""The RayService is KubeRay's, and says of the service what its code says."""

import tomllib

import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement

from runtime.ray import app
from runtime.ray.arguments import read_arguments
from tests.deploy.manifests import FOLDER, read
from tests.deploy.test_kubernetes import RELEASES
from tests.documents import ROOT

(SERVICE,) = read(FOLDER / "ray" / "service.yaml")
CLUSTER = SERVICE["spec"]["rayClusterConfig"]
PODS = [
    CLUSTER["headGroupSpec"]["template"]["spec"],
    *(group["template"]["spec"] for group in CLUSTER["workerGroupSpecs"]),
]
SERVED = yaml.safe_load(SERVICE["spec"]["serveConfigV2"])
(APPLICATION,) = SERVED["applications"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("pod", PODS)
def test_the_pods_are_those_of_kubernetes(pod, release):
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "spec": pod,
    }
    assert kubernetes_validate.validate(manifest, release, strict=True)


def test_the_application_takes_its_arguments(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module, _, name = APPLICATION["import_path"].partition(":")
    assert (module, name) == (app.__module__, app.__name__)
    config, scale, doubts = read_arguments(APPLICATION["args"])
    assert not doubts
    assert config.port == SERVED["http_options"]["port"]
    assert config.host == SERVED["http_options"]["host"]
    for pod in PODS:
        (container,) = pod["containers"]
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert ports["serve"] == config.port
        mounts = {each["mountPath"] for each in container["volumeMounts"]}
        assert {config.object_cache_dir, "/tmp"} == mounts
        variables = {each["name"]: each.get("value") for each in container["env"]}
        assert variables["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
        # The proxy gives a replica 30 s, and the service the requests in hand.
        assert pod["terminationGracePeriodSeconds"] > config.drain_seconds + 30
    (workers,) = CLUSTER["workerGroupSpecs"]
    cores = int(PODS[1]["containers"][0]["resources"]["requests"]["cpu"])
    assert scale.min_replicas * scale.cpus_per_replica <= cores * workers["minReplicas"]
    assert scale.most * scale.cpus_per_replica <= cores * workers["maxReplicas"]


def test_the_version_of_ray_is_the_one_that_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (ray,) = (
        needed
        for text in project["optional-dependencies"]["cluster"]
        if (needed := Requirement(text)).name == "ray"
    )
    assert CLUSTER["rayVersion"] in ray.specifier
