"""A model and its counts, in the forms of the protocol and of Triton."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bundle import __version__
from bundle.errors import ModelNotFound, StoreError
from bundle.spec import ModelSpec
from runtime.backends import TensorSpec
from runtime.errors import NotOffered
from runtime.models.model import Model
from runtime.publishing.repository import Repository
from runtime.telemetry.statistics import Statistics, read_statistics
from runtime.wire.oip.datatypes import BYTES, datatype_of

# The names that Triton gives to the extensions.
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)

# The protocol's names of the engines' formats, and Triton's.
_PLATFORMS = {"onnxruntime": "onnx_onnxv1", "tensorflow": "tensorflow_savedmodel"}
_TRITON_PLATFORMS = {**_PLATFORMS, "onnxruntime": "onnxruntime_onnx"}


def server_metadata() -> dict[str, Any]:
    """Describe the server: its name, version and extensions of the protocol."""
    return {"name": "tfaas-onnx", "version": __version__, "extensions": EXTENSIONS}


def metadata_of(name: str, versions: Iterable[int], model: Model) -> dict[str, Any]:
    """Describe a model: its versions, engine, inputs and outputs."""
    backend = model.backend
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": _PLATFORMS.get(backend.name, backend.name),
        "inputs": [_tensor(spec) for spec in backend.inputs],
        "outputs": [_tensor(spec) for spec in backend.outputs],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "datatype": datatype_of(spec.dtype),
        "shape": _sides(spec.shape),
    }


def config_of(name: str, model: Model) -> dict[str, Any]:
    """Describe a model in the form of Triton's config.

    If the first axis of all inputs and outputs is free, it is the batch's: the config
    leaves it out and has a ``max_batch_size`` above 0.
    """
    backend = model.backend
    is_batched = all(
        spec.shape[:1] == (None,) for spec in (*backend.inputs, *backend.outputs)
    )
    return {
        "name": name,
        "platform": _TRITON_PLATFORMS.get(backend.name, backend.name),
        "backend": backend.name,
        "max_batch_size": model.max_batch_size or 1 if is_batched else 0,
        "input": [_config_tensor(spec, is_batched) for spec in backend.inputs],
        "output": [_config_tensor(spec, is_batched) for spec in backend.outputs],
    }


def _config_tensor(spec: TensorSpec, is_batched: bool) -> dict[str, Any]:
    datatype = datatype_of(spec.dtype)
    return {
        "name": spec.name,
        "data_type": f"TYPE_{'STRING' if datatype == BYTES else datatype}",
        "dims": _sides(spec.shape[is_batched:]),
    }


def _sides(shape: tuple[int | None, ...]) -> list[int]:
    """Write a shape; -1 is a free axis."""
    return [-1 if side is None else side for side in shape]


# The protocol's words for the stages of a request.
_STAGES: Mapping[str, str] = {
    "queue": "queue",
    "compute_input": "decode",
    "compute_infer": "infer",
    "compute_output": "encode",
}


def all_statistics(
    repository: Repository, spec: ModelSpec | None
) -> list[dict[str, Any]]:
    """Describe the counts of each version of a model, or of all models.

    Raises:
        ModelNotFound: there is no such model or version.
    """
    known = read_statistics()
    found = []
    for one in [spec] if spec else map(ModelSpec, repository.names()):
        try:
            numbers = repository.versions(one)
        except (ModelNotFound, StoreError):
            if spec:
                raise
            continue  # a model that is gone, or broken, hides no other
        found += [statistics_of(known, one.name, number) for number in numbers]
    return found


def index_of(repository: Repository, only_ready: bool) -> list[dict[str, str]]:
    """Describe the state of each version of all models, or only of those ready."""
    return [
        {
            "name": entry.name,
            "version": str(entry.version),
            "state": "UNAVAILABLE" if entry.reason else "READY",
            "reason": entry.reason,
        }
        for entry in repository.index()
        if not (only_ready and entry.reason)
    ]


def check_load(parameters: Iterable[str]) -> None:
    """Check that a model is loaded as it stands in the store.

    Raises:
        NotOffered: there is a parameter, such as another config or a file.
    """
    for name in sorted(parameters):
        raise NotOffered(
            f"the parameter {name[:64]!r} is not offered: a model is loaded as it"
            " stands in the store, and new ones come by POST /upload"
        )


def statistics_of(known: Statistics, name: str, version: int) -> dict[str, Any]:
    """Describe the counts of a version in Triton's form.

    The metrics tell versions apart in the requests and in their time alone. The items,
    the runs and the stages are those of all versions of the model, and the time of
    ``success`` is that of the requests that failed, too.
    """
    key, whole = (name, str(version)), (name, "")
    answered = int(known.answered[key])
    stages = {
        word: _duration(answered, known.stages[stage][whole])
        for word, stage in _STAGES.items()
    }
    return {
        "name": name,
        "version": str(version),
        "inference_count": int(known.items[whole]),
        "execution_count": int(known.runs[whole]),
        "inference_stats": {
            "success": _duration(answered, known.seconds[key]),
            "fail": _duration(int(known.failed[key]), 0.0),
            **stages,
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": round(seconds * 1e9)}
