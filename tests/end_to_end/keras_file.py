"""The numbers in a bundle's Keras model, which two trainings compare bit by bit."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np


def numbers_in(bundle: Path) -> dict[str, bytes]:
    """Read the bytes of every array in a bundle's model.keras, by its name."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(bundle / "model.keras") as archive:
        stream = io.BytesIO(archive.read("model.weights.h5"))

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item).tobytes()

    with h5py.File(stream) as file:
        file.visititems(add)
    return found
