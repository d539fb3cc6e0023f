"""A model and its counts, in the forms of the protocol and of Triton."""

from __future__ import annotations

from collections.abc import Iterable

from bundle import __version__
from bundle.errors import ModelNotFound, StoreError
from bundle.spec import ModelSpec
from runtime.backends import TensorSpec
from runtime.errors import NotOffered
from runtime.models.model import Model
from runtime.publishing.repository import Repository
from runtime.telemetry.statistics import Statistics, read_statistics
from runtime.wire.oip.bodies import (
    ConfigTensor,
    Duration,
    IndexEntry,
    ModelConfig,
    ModelMetadata,
    ServerMetadata,
    TensorMetadata,
    VersionStatistics,
)
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


def server_metadata() -> ServerMetadata:
    """Describe the server: its name, version and extensions of the protocol."""
    return {"name": "tfaas-onnx", "version": __version__, "extensions": EXTENSIONS}


def metadata_of(name: str, versions: Iterable[int], model: Model) -> ModelMetadata:
    """Describe a model: its versions, engine, inputs and outputs."""
    backend = model.backend
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": _PLATFORMS.get(backend.name, backend.name),
        "inputs": [_tensor(spec) for spec in backend.inputs],
        "outputs": [_tensor(spec) for spec in backend.outputs],
    }


def _tensor(spec: TensorSpec) -> TensorMetadata:
    return {
        "name": spec.name,
        "datatype": datatype_of(spec.dtype),
        "shape": _sides(spec.shape),
    }


def config_of(name: str, model: Model) -> ModelConfig:
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


def _config_tensor(spec: TensorSpec, is_batched: bool) -> ConfigTensor:
    datatype = datatype_of(spec.dtype)
    return {
        "name": spec.name,
        "data_type": f"TYPE_{'STRING' if datatype == BYTES else datatype}",
        "dims": _sides(spec.shape[is_batched:]),
    }


def _sides(shape: tuple[int | None, ...]) -> list[int]:
    """Write a shape; -1 is a free axis."""
    return [-1 if side is None else side for side in shape]


def all_statistics(
    repository: Repository, spec: ModelSpec | None
) -> list[VersionStatistics]:
    """Describe the counts of each version of a model, or of all models.

    Raises:
        ModelNotFound: there is no such model or version.
    """
    known = read_statistics()
    found: list[VersionStatistics] = []
    for one in [spec] if spec else map(ModelSpec, repository.names()):
        try:
            numbers = repository.versions(one)
        except (ModelNotFound, StoreError):
            if spec:
                raise
            continue  # a model that is gone, or broken, hides no other
        found += [statistics_of(known, one.name, number) for number in numbers]
    return found


def index_of(repository: Repository, only_ready: bool) -> list[IndexEntry]:
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


def check_repository(name: str) -> None:
    """Check that a request to load or unload a model names no repository.

    Raises:
        NotOffered: it names one. Triton refuses it, too.
    """
    if name:
        raise NotOffered(
            "'repository_name' specification is not supported: there is one repository;"
            " ask without a repository's name"
        )


def statistics_of(known: Statistics, name: str, version: int) -> VersionStatistics:
    """Describe the counts of a version in Triton's form.

    The metrics tell versions apart in the requests and in their time alone. The items,
    the runs and the stages are those of all versions of the model, and the time of
    ``success`` is that of the requests that failed, too.
    """
    key, whole = (name, str(version)), (name, "")
    answered = int(known.answered[key])

    def duration_of(stage: str) -> Duration:
        return _duration(answered, known.stages[stage][whole])

    return {
        "name": name,
        "version": str(version),
        "inference_count": int(known.items[whole]),
        "execution_count": int(known.runs[whole]),
        "inference_stats": {
            "success": _duration(answered, known.seconds[key]),
            "fail": _duration(int(known.failed[key]), 0.0),
            "queue": duration_of("queue"),
            "compute_input": duration_of("decode"),
            "compute_infer": duration_of("infer"),
            "compute_output": duration_of("encode"),
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> Duration:
    return {"count": count, "ns": round(seconds * 1e9)}
