"""Tests get small real things here: models of a few numbers, bundles, tars."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

# The shape is (4, 3): pixel 0 feeds class 0, pixel 1 class 1, pixels 2 and 3 class 2.
WEIGHTS = np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]],
    np.float32,
)


def linear_onnx(weights: np.ndarray = WEIGHTS) -> bytes:
    """Return a model: (batch, 2, 2, 1) float32 pixels -> (batch, 3), by the weights."""
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["pixels"], ["row"]),
            helper.make_node("MatMul", ["row", "weights"], ["scores"]),
        ],
        "linear",
        [
            helper.make_tensor_value_info(
                "pixels", TensorProto.FLOAT, ["batch", 2, 2, 1]
            )
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    return serialize(graph)


# The model of mixed inputs adds these to pt for each part, and 0 for an unknown one.
PARTS = {"e": 10.0, "mu": 20.0, "τ": 30.0}


def mixed_onnx(batch: int | str = "batch") -> bytes:
    """Return a model of numbers and texts: ``pt``, ``njet`` and ``part``, (batch, 1).

    It answers ``scores`` (batch, 2) float32: pt plus the part's number, and njet. A pt
    that is NaN counts as -1. ``tests.mixed`` has the same model in Keras.
    """
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["part"],
            ["place"],
            domain="ai.onnx.ml",
            keys_strings=[*PARTS],
            values_floats=[*PARTS.values()],
            default_float=0.0,
        ),
        helper.make_node("IsNaN", ["pt"], ["is_missing"]),
        helper.make_node("Where", ["is_missing", "missing", "pt"], ["known"]),
        helper.make_node("Add", ["known", "place"], ["sum"]),
        helper.make_node("Cast", ["njet"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["sum", "count"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mixed",
        [
            helper.make_tensor_value_info("njet", TensorProto.INT64, [batch, 1]),
            helper.make_tensor_value_info("part", TensorProto.STRING, [batch, 1]),
            helper.make_tensor_value_info("pt", TensorProto.FLOAT, [batch, 1]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 2])],
        [numpy_helper.from_array(np.float32(-1), "missing")],
    )
    return serialize(graph, helper.make_opsetid("ai.onnx.ml", 2))


def slow_onnx(times: int = 100) -> bytes:
    """Return ``linear_onnx`` after some products of large matrices, 1 ms or so each."""
    side = 512
    eye = numpy_helper.from_array(np.eye(side, dtype=np.float32), "eye")
    # The product is made from the input, so that no optimizer computes it in advance.
    # It is all zero, and changes no answer.
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["row"]),
        helper.make_node("ReduceMean", ["row"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["eye", "mean"], ["matrix0"]),
        *(
            helper.make_node("MatMul", [f"matrix{n}", "eye"], [f"matrix{n + 1}"])
            for n in range(times)
        ),
        helper.make_node("Mul", [f"matrix{times}", "nothing"], ["zeros"]),
        helper.make_node("ReduceMean", ["zeros"], ["zero"], keepdims=0),
        helper.make_node("MatMul", ["row", "weights"], ["product"]),
        helper.make_node("Add", ["product", "zero"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "slow",
        [
            helper.make_tensor_value_info(
                "pixels", TensorProto.FLOAT, ["batch", 2, 2, 1]
            )
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
        [
            eye,
            numpy_helper.from_array(WEIGHTS, "weights"),
            numpy_helper.from_array(np.float32(0), "nothing"),
        ],
    )
    return serialize(graph)


def serialize(graph: onnx.GraphProto, *opsets: onnx.OperatorSetIdProto) -> bytes:
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18), *opsets], ir_version=8
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def write_bundle(
    folder: Path,
    *,
    name: str = "linear",
    onnx_bytes: bytes | None = None,
    proved: bool = True,
    params: dict | None = None,
    labels: tuple[str, ...] = ("zero", "one", "two"),
) -> Path:
    """Write a bundle that holds model.onnx alone."""
    folder.mkdir(parents=True, exist_ok=True)
    content = linear_onnx() if onnx_bytes is None else onnx_bytes
    (folder / "params.json").write_text(
        json.dumps(
            {"name": name, "labels": "labels.txt", "img_channels": 1, **(params or {})}
        )
    )
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    (folder / "model.onnx").write_bytes(content)
    if proved:
        write_parity(folder, sha256=hashlib.sha256(content).hexdigest())
    return folder


def write_variant(folder: Path, variant: str, content: bytes) -> None:
    """Write a proved variant beside a bundle's model.onnx."""
    (folder / f"model.{variant}.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    write_parity(folder, sha256=digest, file=f"parity.{variant}.json")


def write_parity(
    folder: Path, *, sha256: str, passed: bool = True, file: str = "parity.json"
) -> None:
    report = {
        "passed": passed,
        "sha256": sha256,
        "atol": 1e-5,
        "rtol": 1e-4,
        "max_abs_diff": 0.0,
        "max_rel_diff": 0.0,
        "top1_agreement": 1.0,
        "samples": 1,
    }
    (folder / file).write_text(json.dumps(report))


def tar_of(folder: Path, top: str = "linear", mode: str = "w:gz") -> bytes:
    """Return a tar of the bundle's folder, as ``tar cfz`` makes it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as tar:
        tar.add(folder, arcname=top)
    return target.getvalue()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """Mount a disk of so many bytes (``1500k``); skip the test without the rights."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)
