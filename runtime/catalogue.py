"""The catalogue: descriptions of the models, on disk and in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from bundle.errors import BundleError, ModelNotFound, StoreError
from bundle.folder import open_bundle
from bundle.packing import Packed, pack
from bundle.params_checks import params_from_json
from bundle.params_file import read_params
from bundle.parity import Parity, read_parity
from bundle.spec import ModelSpec
from bundle.staging import locked
from bundle.store import ModelStore
from bundle.store_errors import unloaded
from bundle.variants import VARIANTS, Variant, parity_file
from bundle.version import Away, Version, mark_of
from runtime.backends import TensorSpec
from runtime.conversion.conversions import Conversions
from runtime.descriptions import (
    Broken,
    DescribedModel,
    DescribedVersion,
    Engine,
    File,
    Sample,
    ServedModel,
    Tensor,
)
from runtime.models.model import Model
from runtime.models.registry import ModelRegistry
from runtime.models.warming import Tried
from runtime.watching.watch import Watch

T = TypeVar("T")


class Catalogue:
    """Describes the models of a store, and those loaded from it."""

    def __init__(
        self,
        store: ModelStore,
        registry: ModelRegistry,
        conversions: Conversions,
        watch: Watch,
    ) -> None:
        self._store = store
        self._registry = registry
        self._conversions = conversions
        self._watch = watch

    def params(self, spec: ModelSpec) -> Mapping[str, Any]:
        """Return the unchanged params.json of the version that a spec means.

        Raises:
            ModelNotFound: there is no such version.
            BundleError: its params.json is broken.
        """
        return self._read(spec, lambda version: read_params(version.path)).stored

    def models(self) -> list[dict[str, Any]]:
        """List the models, as TFaaS does: params.json, timestamp, and the engine.

        A broken bundle is listed with its ``error``, and hides no other bundle.
        """
        descriptions: list[dict[str, Any]] = []
        for name in self._store.names():
            try:
                if away := self._store.away(name):
                    descriptions.append(self._describe_away(name, away))
                    continue
                descriptions.append(self._read(ModelSpec(name), self._describe))
            except ModelNotFound:
                continue  # somebody deleted it after the names were read
            except (BundleError, StoreError) as ex:
                broken: Broken = {"name": name, "error": str(ex)}
                descriptions.append({**broken})
        return descriptions

    def model(self, name: str) -> DescribedModel:
        """Describe a model's labels and its versions, lowest first.

        Raises:
            ModelNotFound: there is no such model.
        """
        serves = self._store.serving(name)
        versions: list[DescribedVersion] = []
        for number in self._store.versions(name):
            try:
                versions.append(self.version(name, number))
            except ModelNotFound:
                continue  # somebody deleted it after the versions were listed
            except StoreError as ex:  # a broken version hides no other version
                versions.append({**_nothing(name, number), "error": str(ex)})
        return {
            "name": name,
            "serves": serves,
            "labels": self._store.labels(name),
            "versions": versions,
        }

    def version(self, name: str, number: int) -> DescribedVersion:
        """Describe one version: its files, params and proof, and its engine.

        The description of a broken version has its ``error``, and as much as can be
        read. The engine's values are null while the version is not in memory.

        Raises:
            ModelNotFound: there is no such version.
        """
        labels = self._store.labels(name)
        if away := self._store.away(name, number):
            return _version_away(name, away, labels)
        version = self._store.version(name, number)
        files = _files(version)
        description: DescribedVersion = {
            **_nothing(name, number),
            "timestamp": _timestamp(version),
            "labels": [
                label for label, labelled in labels.items() if labelled == number
            ],
            "bytes": sum(file["bytes"] for file in files),
            "files": files,
        }
        error = self._reason(version)
        model = self._registry.peek(name, number)
        try:
            bundle = open_bundle(version.path)
            description["params"] = bundle.params.stored
            description["classes"] = bundle.labels
            parity = read_parity(version.path)
            description["parity"] = _content(parity, "fp32")
            description["variants"] = {
                variant: _content(proof, variant)
                for variant in VARIANTS[1:]
                if (proof := read_parity(version.path, parity_file(variant)))
            }
            serving = (model and model.variant) or "fp32"
            description["conversion"] = self._conversions.state(
                version,
                bundle,
                read_parity(version.path, parity_file(serving)),
                model,
            )
        except BundleError as ex:
            error = error or str(ex)
        if model:
            description = {
                **description,
                "loaded": True,
                **self._engine(model),
                "inputs": [_tensor(spec) for spec in model.backend.inputs],
                "outputs": [_tensor(spec) for spec in model.backend.outputs],
            }
        description["error"] = error
        return description

    def labels(self, name: str) -> dict[str, int]:
        """Return each label's version, by label.

        Raises:
            ModelNotFound: there is no such model.
        """
        self._store.serving(name)
        return self._store.labels(name)

    def bundle(self, name: str, number: int) -> Packed:
        """Pack a version's bundle as an archive that could be uploaded again.

        Raises:
            ModelNotFound: there is no such version.
            StoreError: the bundle cannot be read.
        """
        version = self._store.version(name, number)
        try:
            # The exporter replaces parity.json and model.onnx together.
            with ExitStack() as undo:
                with locked(version.path, shared=True):
                    packed = pack(version.files(), name)
                    undo.callback(packed.close)
                undo.pop_all()
                return packed
        except FileNotFoundError:
            raise _gone(version) from None
        except OSError as ex:
            raise StoreError(f"the store cannot be read: {ex.strerror}") from ex

    def _read(self, spec: ModelSpec, read: Callable[[Version], T]) -> T:
        while True:
            version = self._find(spec)
            try:
                return read(version)
            except BundleError:
                # The version may have been deleted or replaced meanwhile.
                if self._find(spec) == version:
                    raise

    def _find(self, spec: ModelSpec) -> Version:
        return self._store.find(spec.name, spec.version, spec.label)

    def _describe(self, version: Version) -> dict[str, Any]:
        bundle = open_bundle(version.path)
        versions = self._store.versions(version.name)
        # The version that serves, or a loaded one that serves in its place.
        loaded = (
            self._registry.peek(version.name, number)
            for number in (version.number, *reversed(versions))
        )
        model = next(filter(None, loaded), None)
        state: ServedModel = {
            "timestamp": bundle.params.timestamp or _timestamp(version),
            # Requests use the name of the folder in the store.
            "name": version.name,
            "version": version.number,
            "versions": versions,
            "serves": version.number,
            "version_labels": self._store.labels(version.name),
            "classes": bundle.labels,
            "loaded": model.version if model else None,
            **self._engine(model),
            "error": self._reason(version),
        }
        # TFaaS's key ``labels`` is in params.json: the file that names the classes.
        return {**bundle.params.to_tfaas(), **state}

    def _describe_away(self, name: str, away: Away) -> dict[str, Any]:
        state: ServedModel = {
            "timestamp": away.created,
            "name": name,
            "version": away.number,
            "versions": self._store.versions(name),
            "serves": away.number,
            "version_labels": self._store.labels(name),
            "classes": (),
            "loaded": None,
            **_NO_ENGINE,
            "error": str(unloaded(name)) if self._store.is_unloaded(name) else None,
        }
        try:
            return {**params_from_json(away.params).to_tfaas(), **state}
        except BundleError as ex:  # the model's own format has no params.json
            return {**state} if not away.params else {**state, "error": str(ex)}

    def _engine(self, model: Model | None) -> Engine:
        if model is None or model.version is None:
            return _NO_ENGINE
        return {
            "backend": model.backend.name,
            "device": model.backend.device,
            "proved": model.is_proved,
            "sample": _sample(model.tried) if model.tried else None,
            "fallback_reason": model.fallback_reason,
            "variant": model.variant,
            "batching": model.batching,
            "warm_up": model.warm_up,
            "variant_reason": model.variant_reason,
            "watching": self._watch.describe(model.name, model.version),
        }

    def _reason(self, version: Version) -> str | None:
        """Tell why a version answers no requests, if it is known to answer none."""
        if self._store.is_unloaded(version.name):
            return str(unloaded(version.name))
        return self._registry.failure(version.name, version.number)


def _version_away(name: str, away: Away, labels: Mapping[str, int]) -> DescribedVersion:
    """Describe a version whose files are not on this machine yet."""
    return {
        **_nothing(name, away.number),
        "timestamp": away.created,
        "labels": [label for label, number in labels.items() if number == away.number],
        "params": dict(away.params),
        "bytes": sum(away.files.values()),
        "files": [{"name": file, "bytes": size} for file, size in away.files.items()],
    }


def _nothing(name: str, number: int) -> DescribedVersion:
    """Make a version's description with every key, before its values are known."""
    return {
        "name": name,
        "version": number,
        "timestamp": "",
        "labels": [],
        "params": {},
        "classes": (),
        "bytes": 0,
        "files": [],
        "parity": None,
        "variants": {},
        "conversion": None,
        "loaded": False,
        **_NO_ENGINE,
        "inputs": None,
        "outputs": None,
        "error": None,
    }


_NO_ENGINE: Engine = {
    "backend": None,
    "device": None,
    "proved": None,
    "sample": None,
    "fallback_reason": None,
    "variant": None,
    "batching": None,
    "warm_up": None,
    "variant_reason": None,
    "watching": None,
}


def _sample(tried: Tried) -> Sample:
    return {"images": tried.images, "right": tried.right}


def _tensor(spec: TensorSpec) -> Tensor:
    return {"name": spec.name, "dtype": str(spec.dtype), "shape": spec.shape}


def _timestamp(version: Version) -> str:
    """Return the time of the upload, which a later conversion does not change."""
    try:
        seconds = mark_of(version.path).stat().st_mtime
    except OSError:  # a broken version has its folder alone
        seconds = version.state[1] / 1e9
    published = datetime.fromtimestamp(seconds, UTC)
    return published.isoformat(timespec="seconds")


def _files(version: Version) -> list[File]:
    try:
        return [
            # A file that somebody put there may have a name that is not UTF-8, as JSON
            # needs.
            {
                "name": os.fsencode(name).decode(errors="replace"),
                "bytes": path.stat().st_size,
            }
            for name, path in version.files().items()
        ]
    except FileNotFoundError:
        raise _gone(version) from None
    except OSError as ex:
        raise StoreError(f"the store cannot be read: {ex.strerror}") from ex


def _content(parity: Parity | None, variant: Variant) -> dict[str, Any] | None:
    """Return a proof as JSON; None if there is none."""
    if parity is None:
        return None
    content = parity.to_json()
    try:
        orjson.dumps(content)
    except TypeError as ex:  # an integer beyond 64 bits, half a surrogate pair
        raise BundleError(
            f"{parity_file(variant)} holds a value that JSON cannot carry"
        ) from ex
    return content


def _gone(version: Version) -> ModelNotFound:
    return ModelNotFound(
        f"version {version.number} of {version.name!r} is not there any more"
    )
