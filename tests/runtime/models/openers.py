"""Functions that open versions for a registry, with fake backends."""

import threading

from bundle.folder import open_bundle
from bundle.spec import ModelSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend


class Opener:
    """An opener with a fake backend, which keeps the versions it was asked for."""

    def __init__(self):
        self.opened = []
        self.broken = set()

    def __call__(self, version):
        self.opened.append((version.name, version.number))
        if version.number in self.broken:
            raise BackendError("broken weights")
        bundle = open_bundle(version.path)
        return Model(bundle, version.number, Opened(FakeBackend()), None)


class HeldOpener(Opener):
    """An opener that holds one version until it may go on."""

    def __init__(self, held):
        super().__init__()
        self.held = held
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, version):
        if version.number == self.held:
            self.started.set()
            assert self.go.wait(10)
        return super().__call__(version)


def publish(store, name="linear"):
    return store.install(lambda folder: write_bundle(folder, name=name))


def get(registry, **spec):
    return registry.get(ModelSpec("linear", **spec))
