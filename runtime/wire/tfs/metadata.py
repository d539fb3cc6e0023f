"""A model's versions and its signature, in TensorFlow Serving's form."""

from __future__ import annotations

from collections.abc import Iterable

from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
from runtime.backends import TensorSpec
from runtime.models.model import Model
from runtime.publishing.repository import Repository
from runtime.wire.tfs.asked import no_versions
from runtime.wire.tfs.bodies import (
    Dimension,
    Signature,
    SignatureMetadata,
    TensorInfo,
    VersionStates,
)
from runtime.wire.tfs.datatypes import datatype_of
from runtime.wire.tfs.text import SIGNATURE

METHOD = "tensorflow/serving/predict"


def states_of(repository: Repository, spec: ModelSpec) -> list[tuple[int, str]]:
    """Find each version's number, and why it answers no requests; empty if it does.

    Args:
        repository: the repository, which knows the versions.
        spec: the model; of one version or label, if it names one.

    Raises:
        ModelNotFound, InvalidInput: there is no such model, version or label.
    """
    try:
        numbers = repository.versions(spec)
    except ModelNotFound as ex:
        raise no_versions(spec) from ex
    states = []
    for number in numbers:
        try:
            reason = repository.reason(ModelSpec(spec.name, number))
        except ModelNotFound:
            continue  # somebody deleted it after it was listed
        states.append((number, reason))
    if not states:
        raise no_versions(spec)
    return states


def status_of(versions: Iterable[tuple[int, str]]) -> VersionStates:
    """Describe the states of versions, newest first.

    Args:
        versions: each version's number, and why it answers no requests; empty if it
            does.
    """
    return {
        "model_version_status": [
            {
                "version": str(number),
                "state": "END" if reason else "AVAILABLE",
                "status": {
                    "error_code": "UNAVAILABLE" if reason else "OK",
                    "error_message": reason,
                },
            }
            for number, reason in sorted(versions, reverse=True)
        ]
    }


def metadata_of(name: str, model: Model) -> SignatureMetadata:
    """Describe a model's inputs and outputs as its one signature."""
    backend = model.backend
    signature: Signature = {
        "inputs": {spec.name: _tensor(spec) for spec in backend.inputs},
        "outputs": {spec.name: _tensor(spec) for spec in backend.outputs},
        "method_name": METHOD,
    }
    return {
        "model_spec": {
            "name": name,
            "signature_name": "",
            "version": str(model.version),
        },
        # TensorFlow Serving writes a map that holds nothing but a map of this name.
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
    }


def _tensor(spec: TensorSpec) -> TensorInfo:
    dims: list[Dimension] = [
        {"size": str(-1 if side is None else side), "name": ""} for side in spec.shape
    ]
    return {
        "dtype": datatype_of(spec.dtype),
        "tensor_shape": {"dim": dims, "unknown_rank": False},
        # A graph of TensorFlow calls the first output of an operation so.
        "name": f"{spec.name}:0",
    }
