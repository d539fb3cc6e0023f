"""A service with three models and a load, of which pictures are taken."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from bundle.sample import read_sample
from tests.end_to_end.conftest import RUNTIME, serving
from tests.examples import write_bundle
from tests.forms import form, png
from tests.runtime.graphs import FLOAT, onnx_of

FEATURES = ["sepal length", "sepal width", "petal length", "petal width"]


@contextmanager
def showcase(folder: Path, bundle: Path) -> Iterator[str]:
    """Serve a bundle of digits beside two small models, and ask them all the time.

    Args:
        folder: an empty folder, for the store and the log.
        bundle: a bundle with a sample.

    Yields:
        The address of the service.
    """
    _fill(folder / "models", bundle)
    with serving(f"{RUNTIME} --workers 2", folder) as server:
        end = threading.Event()
        load = threading.Thread(target=_ask, args=(server.url, bundle, end))
        load.start()
        try:
            yield server.url
        finally:
            end.set()
            load.join()


def _fill(models: Path, bundle: Path) -> None:
    for number in ("1", "2", "3"):
        shutil.copytree(bundle, models / "mnist" / number)
    (models / "mnist" / ".labels").mkdir()
    for label, number in (("stable", "3"), ("canary", "2")):
        (models / "mnist" / ".labels" / label).write_text(number)
    iris = onnx_of(
        [
            ("MatMul", ["row", "weights"], ["product"], {}),
            ("Softmax", ["product"], ["scores"], {}),
        ],
        [("row", FLOAT, ("n", 4))],
        [("scores", FLOAT, ("n", 3))],
        weights=np.random.default_rng(7).normal(size=(4, 3)).astype(np.float32),
    )
    write_bundle(
        models / "iris" / "1",
        name="iris",
        onnx_bytes=iris,
        labels=("setosa", "versicolor", "virginica"),
        params={"features": FEATURES, "img_channels": 0},
    )
    write_bundle(models / "pixels" / "1", name="pixels", proved=False)


def _ask(url: str, bundle: Path, end: threading.Event) -> None:
    """Ask with a rate that goes up and down, one image or several in a request."""
    sample = read_sample(bundle)
    assert sample is not None
    pictures = [png(image[:, :, 0]) for image in sample.images[:8]]
    row = {"model": "iris", "keys": FEATURES, "values": [5.1, 3.5, 1.4, 0.2]}
    begin = time.monotonic()
    # A connection stays with one worker, and both shall have the models in memory.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=url, limits=limits) as client:
        while not end.is_set():
            wave = 1 + math.sin((time.monotonic() - begin) / 9)
            several = pictures[: 1 + round(2 * wave)]
            body, headers = form(image=list(several), model="mnist")
            client.post("/predict/image", content=body, headers=headers)
            client.post("/predict/json", json=row)
            end.wait(0.02 + 0.05 * (2 - wave))
