"""The engines and the extras that are installed, and the missing ones."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

# The extras of this project for those who use it, and what each gives.
EXTRAS = {
    "cluster": "many machines with Ray",
    "cuda": "ONNX Runtime on a GPU",
    "data": "CSV, Parquet, HDF5 and ROOT",
    "export": "model.onnx for uploads, and the command exporter",
    "grpc": "the port of gRPC ('grpcPort')",
    "netron": "the graph viewer at /netron/",
    "objects": "models in an object store ('modelDir')",
    "tensorflow": "models that have no model.onnx",
    "tracing": "OpenTelemetry spans ('tracing')",
    "train": "the command trainer",
    "tune": "trainer run --tune",
}

_PROJECT = "tfaas-onnx"
_CUDA = "libonnxruntime_providers_cuda.so"


def facts_of_engines() -> dict[str, object]:
    """Describe the engines; TensorFlow is not imported, because that takes seconds."""
    return {
        "onnxruntime": _onnxruntime(),
        "providers": _providers(),
        "cuda": why_no_cuda() or "works",
        "tensorflow": _version("tensorflow") or _version("tensorflow-cpu"),
        "extras": {extra: missing_of(extra) for extra in EXTRAS},
    }


def missing_of(extra: str) -> list[str]:
    """Return the packages of an extra that are not installed, sorted."""
    return sorted({name for name in _packages_of(extra) if _version(name) is None})


def why_no_cuda() -> str:
    """Tell why ONNX Runtime cannot run on CUDA here; empty if its libraries load."""
    spec = find_spec("onnxruntime")
    folders = (spec.submodule_search_locations or []) if spec else []
    library = next(
        (path for folder in folders if (path := Path(folder, "capi", _CUDA)).exists()),
        None,
    )
    if library is None:
        return "this onnxruntime is built without CUDA"
    if not any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/dxg")):
        return "there is no GPU here, or its driver is not installed"
    try:
        import onnxruntime

        # It loads the libraries of NVIDIA that pip installed.
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        ctypes.CDLL(str(library))
    except OSError as ex:
        # The loader's words begin with the library that is missing.
        return f"a library cannot be loaded: {ex}"
    return ""


def _onnxruntime() -> str | None:
    return _version("onnxruntime") or _version("onnxruntime-gpu")


def _providers() -> list[str]:
    if find_spec("onnxruntime") is None:
        return []
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _packages_of(extra: str) -> Iterator[str]:
    """Give the names of an extra's packages for this machine.

    The metadata of an installed project name the packages of extras within extras, too.
    """
    try:
        lines = requires(_PROJECT) or []
    except PackageNotFoundError:  # it runs from a folder that nobody installed
        return
    for line in lines:
        wanted = Requirement(line)
        marker = wanted.marker
        if marker is None or marker.evaluate({"extra": ""}):
            continue  # it belongs to no extra
        if marker.evaluate({"extra": extra}):
            yield wanted.name


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
