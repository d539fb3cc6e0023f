"""The compose file: its settings, files and limits beside the service's."""

import re

import pytest
import yaml

from runtime.config import load_settings
from runtime.doctor.findings import GRACE_SECONDS
from runtime.server.room import ALL_BYTES
from tests.deploy.test_kubernetes import FORK_SERVER_BYTES, WORKER_BYTES
from tests.deploy.tools import DEPLOY

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = SERVICES["tfaas-onnx"]
GIB = 1 << 30


def settings(**more):
    return load_settings({**OURS["environment"], **more}).config


def test_the_variables_are_settings():
    config = settings(TFAAS_CONFIG="")
    assert config.workers == OURS["cpus"]
    secret = COMPOSE["secrets"]["writers"]["file"]
    assert config.write_tokens_file == "/run/secrets/writers"
    assert OURS["secrets"] == ["writers"]
    ignored = (DEPLOY / ".gitignore").read_text().split()
    assert secret.removeprefix("./") in ignored, "a file of tokens is not for git"


def test_there_is_the_memory_for_all_workers_a_trial_and_its_files():
    config = settings()
    (temporary,) = OURS["tmpfs"]
    files = int(re.fullmatch(r"/tmp:size=(\d+)g", temporary)[1]) * GIB
    needed = (
        config.workers * (WORKER_BYTES + config.cache_bytes + ALL_BYTES)
        + FORK_SERVER_BYTES
        + config.trial_bytes
        + files
    )
    assert needed <= int(OURS["mem_limit"].removesuffix("g")) * GIB
    assert config.max_upload_bytes < files
    grace = int(OURS["stop_grace_period"].removesuffix("s"))
    assert config.drain_seconds < GRACE_SECONDS <= grace


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded_and_its_files_are_there(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert re.search(r":[v\d][\w.]*$", service["image"]), "a version is named"
    for mount in service["volumes"]:
        source = mount.partition(":")[0]
        if source.startswith("."):
            assert (DEPLOY / source).is_file()
            assert mount.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_the_image_is_that_of_the_dockerfile():
    build = OURS["build"]
    assert (
        DEPLOY / build["context"] / build["dockerfile"]
    ).resolve() == DEPLOY / "Dockerfile"
    assert f"-t {OURS['image']} ." in (DEPLOY / "Dockerfile").read_text()


def test_prometheus_asks_the_service_by_its_name():
    config = yaml.safe_load((DEPLOY / "prometheus" / "compose.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["tfaas-onnx:8083"]}]
    assert set(SERVICES["prometheus"]["depends_on"]) == {"tfaas-onnx"}
