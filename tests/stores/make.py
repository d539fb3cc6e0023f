"""Make the store, bundle, config.json and replies that a release leaves in the tests.

``python -m tests.stores.make`` writes the folder of this version, once, just before its
release. Its content is never changed afterwards: later versions must read it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bundle import __version__
from bundle.manifest import write_manifest
from bundle.store import ModelStore
from runtime.admin.local import LocalAdmin
from runtime.config import Config, key
from runtime.feedback.folder import FeedbackFolder
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import LocalClient
from tests.documents import ROOT
from tests.forms import png
from tests.runtime.config.test_config import OTHERS
from tests.stores.asking import PICTURE, ask_all
from tools.reference.metrics import metrics

NETWORK = """
import keras

def build_model(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(classes, activation="softmax"),
    ])
"""
# A model of rows, which its user pushes as Keras saved it.
ROWS = """
import keras
keras.utils.set_random_seed(3)
layers = [keras.Input((2,), name="row"), keras.layers.Dense(2, activation="softmax")]
keras.Sequential(layers).save("jets.keras")
"""
LABELS = ("left", "middle", "right")


def main() -> None:
    """Write the folder of this version."""
    target = ROOT / "tests" / "stores" / __version__
    if target.exists():
        sys.exit(f"{target} is there already; a release's folder is never made anew")
    with TemporaryDirectory() as scratch:
        work = Path(scratch)
        made = work / "made"
        made.mkdir()
        _train(work, made / "models")
        _add_flat_folder(made / "models")
        _keep_feedback(made / "feedback")
        _record(made)
        shutil.copytree(made, target)


def _train(work: Path, store: Path) -> None:
    """Train two models, and publish three versions of one of them."""
    rng = np.random.default_rng(1)
    classes = np.arange(120) % 3
    images = rng.integers(0, 40, (120, 8, 8), np.uint8)
    for image, number in zip(images, classes, strict=True):
        image[:, 2 * number : 2 * number + 3] += 180
    names = np.array(LABELS)[classes]
    np.savez(
        work / "stripes.npz",
        x_train=images[:90],
        y_train=names[:90],
        x_test=images[90:],
        y_test=names[90:],
    )
    (work / "nets.py").write_text(NETWORK)
    place = ("--models-dir", str(store))
    run = ("trainer", "run", *place, "--epochs", "20", "--batch-size", "8", "--seed")
    stripes = ("--model", "stripes", "--fin", "stripes.npz")
    stripes += ("--arch", "nets.py:build_model")
    _type(work, *run, "1", *stripes, "--no-onnx", "--no-report")
    _type(work, *run, "2", *stripes)
    _type(work, "exporter", "convert", *place, "--fp16", "stripes:2")
    subprocess.run([sys.executable, "-c", ROWS], cwd=work, check=True)
    push = ("jets.keras", "--labels", "noise,signal", *place)
    command = "from runtime.cli import main; main()"
    _type(work, "models", "push", *push, program=("-c", command))
    for version in (store / "stripes").iterdir():
        _make_small(version)
    services = create_services(Config(model_dir=store, provider="cpu"))
    services.publisher.revise("stripes", 2, {"description": "the same once more"})
    services.publisher.set_label("stripes", "stable", 2)
    services.publisher.set_label("stripes", "canary", 3)


def _type(folder: Path, *arguments: str, program: tuple[str, ...] = ("-m",)) -> None:
    command = [sys.executable, *program, *arguments]
    subprocess.run(command, cwd=folder, check=True)


def _make_small(version: Path) -> None:
    """Remove what nothing but people read, for its size: pictures and texts of graphs.

    The report's page goes, too, and its figures stay.
    """
    for pattern in ("report/*.png", "report/*.html", "*.pbtxt", "model.graph"):
        for path in version.glob(pattern):
            path.unlink()
    write_manifest(version)


def _add_flat_folder(store: Path) -> None:
    """Lay a model as TFaaS keeps it: its files in its own folder, and no manifest."""
    flat = store / "flat"
    version = ModelStore(store).version("stripes", 1)
    for name, path in version.files().items():
        if name in ("saved_model.pb", "labels.txt") or name.startswith("variables/"):
            (flat / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, flat / name)
    params = json.loads((version.path / "params.json").read_text())
    (flat / "params.json").write_text(
        json.dumps(
            {
                "name": "flat",
                "model": "saved_model.pb",
                "labels": "labels.txt",
                "options": [],
                "inputNode": params["input_name"],
                "outputNode": params["output_name"],
                "op": "",
                "input_name": params["input_name"],
                "output_name": params["output_name"],
                "img_channels": 1,
                "description": "as TFaaS keeps it",
                "timestamp": "2025-01-07 10:11:12.000000 +0000 UTC",
            }
        )
    )


def _keep_feedback(folder: Path) -> None:
    feedback = FeedbackFolder(folder, 1 << 20, 100)
    feedback.keep_picture("stripes", "middle", png(PICTURE), "png")
    feedback.keep_row("jets", ["pt", "eta", "label"], ["0.5", "-0.25", "signal"])


def _record(made: Path) -> None:
    """Write the bundle's archive, the keys of config.json, the metrics, the replies."""
    config = Config(model_dir=made / "models", provider="cpu")
    with LocalAdmin(config).bundle("stripes", 2) as archive:
        (made / "stripes.tar.gz").write_bytes(b"".join(archive.chunks))
    keys = {key(name): value for name, (_, value, _) in OTHERS.items()}
    _write(made / "config.json", keys)
    client = LocalClient(create_app(create_services(config), config))
    _write(made / "replies.json", ask_all(client))
    told = {metric.name: [metric.kind, *metric.labels] for metric in metrics()}
    _write(made / "metrics.json", told)


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Write an object as JSON, with one line for each key."""
    lines = (f"{json.dumps(key)}: {json.dumps(content[key])}" for key in content)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
