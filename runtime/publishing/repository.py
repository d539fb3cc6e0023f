"""The store as a repository: its models are listed, loaded and unloaded.

A model is loaded when somebody asks for it, so most models need no ``load``. One that
was unloaded answers nothing, in each process and after a restart, too, until it is
loaded again.
"""

from __future__ import annotations

from typing import NamedTuple

from bundle.errors import BundleError, ModelNotFound, StoreError
from bundle.params import MODEL_NAME
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.store_errors import unloaded
from runtime.errors import BackendError, InvalidInput
from runtime.models.registry import ModelRegistry


class Entry(NamedTuple):
    """One version of a model.

    Attributes:
        name: the model's name.
        version: its number.
        reason: why it answers no requests; empty if it does.
    """

    name: str
    version: int
    reason: str


class Repository:
    """Lists, loads and unloads the store's models.

    Args:
        store: the store.
        registry: the registry, which loads the models.
    """

    def __init__(self, store: ModelStore, registry: ModelRegistry) -> None:
        self._store = store
        self._registry = registry

    def names(self) -> list[str]:
        """List the names of all models."""
        return self._store.names()

    def index(self) -> list[Entry]:
        """List all versions of all models; a broken one hides no other."""
        entries = []
        for name in self._store.names():
            try:
                numbers = self._store.versions(name)
            except StoreError as ex:
                entries.append(Entry(name, 0, str(ex)))
                continue
            for number in numbers:
                try:
                    reason = self.reason(ModelSpec(name, number))
                except ModelNotFound:
                    continue  # somebody deleted it after it was listed
                except StoreError as ex:
                    reason = str(ex)
                entries.append(Entry(name, number, reason))
        return entries

    def versions(self, spec: ModelSpec) -> list[int]:
        """List a model's versions; only the one that a spec names, if it names one.

        Raises:
            ModelNotFound: there is no such model, version or label.
        """
        if spec.is_pinned:
            self._store.check_there(spec)
            labelled = self._store.labels(spec.name).get(spec.label or "")
            return [n for n in (spec.version, labelled) if n is not None]
        self._store.serving(spec.name)
        return self._store.versions(spec.name)

    def reason(self, spec: ModelSpec) -> str:
        """Tell why a model, or a version of it, answers no requests; empty if it does.

        Raises:
            ModelNotFound: there is no such model or version.
        """
        self._store.check_there(ModelSpec(spec.name, spec.version))
        if self._store.is_unloaded(spec.name):
            return str(unloaded(spec.name))
        if self._store.away(spec.name, spec.version):
            return ""  # the first request fetches it
        version = self._store.find(spec.name, spec.version)
        failure = self._registry.failure(spec.name, version.number)
        if failure and spec.version is None:
            # Another version may stand in for the current one.
            try:
                self._registry.get(spec)
            except BackendError as ex:
                return str(ex)
            return ""
        return failure or ""

    def load(self, name: str) -> None:
        """Load a model, and let it answer requests again.

        Raises:
            InvalidInput: this can be no model's name.
            ModelNotFound: there is no such model.
            BundleError: it cannot be loaded.
            StoreError: the store cannot be written.
        """
        _check_name(name)
        self._store.set_unloaded(name, False)
        try:
            model = self._registry.get(ModelSpec(name))
        except (BackendError, BundleError) as ex:
            raise BundleError(f"model {name!r} cannot be loaded: {ex}") from ex
        current = self._store.find(name).number
        if failure := self._registry.failure(name, current):
            raise BundleError(f"{failure}; version {model.version} stands in for it")

    def unload(self, name: str) -> None:
        """Take a model out of memory; it answers no requests until it is loaded again.

        Raises:
            InvalidInput: this can be no model's name.
            ModelNotFound: there is no such model.
            StoreError: the store cannot be written.
        """
        _check_name(name)
        self._store.set_unloaded(name, True)
        self._registry.drop(name)


def _check_name(name: str) -> None:
    if not MODEL_NAME.fullmatch(name):
        raise InvalidInput(f"{name[:128]!r} is no name for a model")
