import dataclasses
import shutil

import pytest

from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import LocalClient
from tests.examples import write_bundle


class Preloading:
    """A preloader with memory."""

    def __init__(self, *missing):
        self.left = list(missing)

    def missing(self):
        return self.left


@pytest.fixture
def config(tmp_path):
    return Config(model_dir=tmp_path / "models", provider="cpu")


def client_of(config, *missing):
    services = create_services(config)
    services = dataclasses.replace(services, preloader=Preloading(*missing))
    return LocalClient(create_app(services, config))


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
def test_a_process_that_answers_is_alive(config, path):
    client = client_of(config, "mnist")
    reply = client.simulate_get(path)
    assert (reply.status_code, reply.json) == (200, {"status": "alive"})
    assert client.simulate_head(path).status_code == 200


def test_a_store_that_is_not_there_yet_is_ready(config):
    client = client_of(config)
    assert not config.model_dir.exists()
    reply = client.simulate_get("/readyz")
    assert (reply.status_code, reply.json) == (200, {"status": "ready"})
    assert client.simulate_head("/readyz").status_code == 200


def test_a_store_that_cannot_be_read_is_not_ready(config):
    client = client_of(config)
    config.model_dir.write_text("a file where the store was")
    reply = client.simulate_get("/readyz")
    assert reply.status_code == 503
    reason = "the store cannot be read: Not a directory"
    assert reply.json == {"status": "not ready", "reasons": [reason]}
    assert client.simulate_head("/readyz").status_code == 503


@pytest.mark.parametrize("is_asked_before", [True, False])
def test_a_store_that_has_gone_is_not_ready(config, is_asked_before):
    """A volume was unmounted: nothing is there, or the empty mount point."""
    write_bundle(config.model_dir / "linear" / "1")
    client = client_of(config)
    if is_asked_before:
        assert client.simulate_get("/readyz").status_code == 200
    aside = config.model_dir.with_name("aside")
    config.model_dir.rename(aside)
    for _ in range(2):
        reply = client.simulate_get("/readyz")
        assert reply.status_code == 503
        (reason,) = reply.json["reasons"]
        assert "the store has gone" in reason
        config.model_dir.mkdir(exist_ok=True)
    config.model_dir.rmdir()
    aside.rename(config.model_dir)
    assert client.simulate_get("/readyz").status_code == 200


def test_a_store_that_is_emptied_or_replaced_is_ready(config):
    write_bundle(config.model_dir / "linear" / "1")
    client = client_of(config)
    shutil.copytree(config.model_dir, other := config.model_dir.with_name("other"))
    config.model_dir.rename(config.model_dir.with_name("aside"))
    other.rename(config.model_dir)
    assert client.simulate_get("/readyz").status_code == 200
    shutil.rmtree(config.model_dir / "linear")
    assert client.simulate_get("/readyz").status_code == 200


def test_a_process_is_ready_when_its_models_are_warm(config):
    preloader = Preloading("model 'mnist' is still to be loaded", "no model 'x'")
    services = dataclasses.replace(create_services(config), preloader=preloader)
    client = LocalClient(create_app(services, config))
    reply = client.simulate_get("/readyz")
    assert reply.status_code == 503
    assert reply.json["reasons"] == [
        "model 'mnist' is still to be loaded",
        "no model 'x'",
    ]
    preloader.left.clear()
    assert client.simulate_get("/readyz").json == {"status": "ready"}
