"""Models that other processes took away leave memory without a request."""

import threading

from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.config import Config
from runtime.models.sweeper import Sweeper
from runtime.services import create_services
from tests.examples import write_bundle


class Watched:
    """A registry that tells when it has looked at its models."""

    def __init__(self, registry):
        self._registry = registry
        self.looked = threading.Event()

    def loaded(self):
        left = self._registry.loaded()
        if not left:
            self.looked.set()
            threading.Event().wait()  # the sweeper's thread must not go on for ever
        return left


def test_models_that_another_process_took_away_leave_memory(tmp_path):
    services = create_services(Config(model_dir=tmp_path / "models", provider="cpu"))
    other = ModelStore(tmp_path / "models")
    for name in ("unloaded", "deleted"):
        other.install(
            lambda folder, name=name: write_bundle(folder, name=name) and None
        )
        services.registry.get(ModelSpec(name))
    watched = Watched(services.registry)
    sweeper = Sweeper(watched, seconds=0.001)
    sweeper.start()
    other.set_unloaded("unloaded", True)
    other.delete("deleted")
    assert watched.looked.wait(60)
