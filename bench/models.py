"""The two models, which are made once and kept, and the pictures of the requests."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from bench.errors import BenchError
from bench.places import BIN, MODELS, ROOT
from bench.wire import Asked
from bundle.decode import decode_image

STORE = MODELS / "store"
# A request has at most this many images.
PICTURES = 32
# The PNG of one image has about this many bytes, the median of MNIST.
_PNG_BYTES = 254
# The JPEG has about this many bytes, like a phone's picture that a web page shrank.
_JPEG_BYTES = 100_000
_SIDE = 224


@dataclass(frozen=True)
class Model:
    """A model that can be served.

    Attributes:
        name: its name in the store.
        onnx: its ONNX file.
        asked: pictures, and onnxruntime's answers to them.
    """

    name: str
    onnx: Path
    asked: Asked


def make(name: str) -> Model:
    """Give a model; train or build it now if that was not done before.

    Raises:
        BenchError: the trainer or the exporter failed.
    """
    folder = STORE / name / "1"
    if not (folder / "model.onnx").exists():
        print(f"making the model {name}, once", flush=True)
        {"mnist": _train, "mobilenet": _build}[name](folder)
    onnx = folder / "model.onnx"
    pictures = digits(folder) if name == "mnist" else [noise()]
    pixels = np.stack([decode_image(p, 1 if name == "mnist" else 3) for p in pictures])
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    right = answers(onnx, pixels)
    return Model(name, onnx, Asked(name, given.name, pictures, pixels, right))


def answers(onnx: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run a model on pixels with onnxruntime.

    Args:
        onnx: the model's file.
        pixels: ``(N, H, W, C)`` uint8, 0..255.

    Returns:
        The scores, ``(N, classes)`` float32.
    """
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    (scores,) = session.run(None, {given.name: pixels.astype(np.float32)})
    return np.asarray(scores, np.float32)


def parcel(model: Model, name: str, *, onnx: bool = True) -> bytes:
    """Pack a model under another name as tar.gz, for an upload.

    Args:
        model: the model.
        name: the name that it gets.
        onnx: pack its ONNX alone; else its SavedModel alone.
    """
    folder = model.onnx.parent
    params = json.loads((folder / "params.json").read_bytes()) | {"name": name}
    names = ["labels.txt", "model.onnx"] if onnx else ["labels.txt", "saved_model.pb"]
    if not onnx:
        names += [f"variables/{one.name}" for one in (folder / "variables").iterdir()]
    files = {one: (folder / one).read_bytes() for one in names}
    files["params.json"] = json.dumps(params).encode()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for file, data in files.items():
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def own_environment() -> dict[str, str]:
    """Make variables for this project's commands: this checkout, and no settings.

    ``runtime.process.environment`` leaves fewer variables. Here a command starts as a
    person would start it, with this machine's PATH and home.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TFAAS_")}
    # Packages may lie in folders that the variable names already.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def _train(folder: Path) -> None:
    shutil.rmtree(folder.parent, ignore_errors=True)
    store = str(folder.parents[1])
    _run([str(BIN / "trainer"), "run", "--model", "mnist", "--models-dir", store])


def _build(folder: Path) -> None:
    made = MODELS / "mobilenet"
    shutil.rmtree(made, ignore_errors=True)
    _run([sys.executable, "-m", "bench.mobilenet", str(made)])
    _run([str(BIN / "exporter"), "convert", str(made)])
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made.rename(folder)


def _run(command: Sequence[str]) -> None:
    MODELS.mkdir(parents=True, exist_ok=True)
    process = subprocess.run(
        command, cwd=MODELS, env=own_environment(), capture_output=True, text=True
    )
    if process.returncode:
        said = (process.stderr or process.stdout).strip().splitlines() or ["no word"]
        raise BenchError(f"{' '.join(command)} failed: {said[-1]}")


def digits(folder: Path) -> list[bytes]:
    """Make PNGs of digits; those of about the usual size come first."""
    with np.load(folder / "sample.npz") as sample:
        images = sample["images"][:, :, :, 0]
    made = [_encoded(Image.fromarray(image), "PNG", optimize=True) for image in images]
    return sorted(made, key=lambda data: abs(len(data) - _PNG_BYTES))[:PICTURES]


def noise() -> bytes:
    """Make a JPEG of noise with the quality that comes nearest to the wanted size."""
    generator = np.random.default_rng(7)
    coarse = generator.integers(0, 256, (56, 56, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((_SIDE, _SIDE)), np.int16)
    grain = generator.normal(0, 48, smooth.shape)
    image = Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
    made = [
        _encoded(image, "JPEG", quality=quality, subsampling=0)
        for quality in range(70, 100)
    ]
    return min(made, key=lambda data: abs(len(data) - _JPEG_BYTES))


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
