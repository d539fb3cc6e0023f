"""Read a file of Keras 2 as a model of Keras 3."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py

from exporter.keras2.errors import Untranslatable
from exporter.keras2.model import build
from exporter.keras2.weights import Filler


def read(path: Path, config: Any) -> Any:
    """Build the model of a file, with its weights.

    Args:
        path: an HDF5 file, or a ``.keras`` file, which is a zip file.
        config: the description of the model in the file.

    Raises:
        Untranslatable: Keras 3 cannot express what Keras 2 wrote.
        OSError, zipfile.BadZipFile: the file cannot be read.
    """
    built = build(config)
    filler = Filler(built)
    if not zipfile.is_zipfile(path):
        with h5py.File(path, "r") as file:
            if "model_weights" not in file:
                raise Untranslatable("it has no weights")
            _check_links(file)
            filler.from_h5(file["model_weights"])
        return built.model
    with zipfile.ZipFile(path) as archive:
        if any(name.startswith("assets/") for name in archive.namelist()):
            raise Untranslatable("some of its words are in files of their own")
        try:
            weights = io.BytesIO(archive.read("model.weights.h5"))
        except KeyError as ex:
            raise Untranslatable("it has no weights") from ex
    with h5py.File(weights, "r") as file:
        _check_links(file)
        filler.from_keras(file)
    return built.model


def _check_links(file: Any) -> None:
    """Refuse names that lead into other files, and names that lead in circles."""
    waiting, seen = [file], set()
    while waiting:
        group = waiting.pop()
        place = h5py.h5o.get_info(group.id).addr
        if place in seen:
            raise Untranslatable("its groups of weights hold one another")
        seen.add(place)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Untranslatable("some of its weights are not in this file")
            if group.get(name, getclass=True) is h5py.Group:
                waiting.append(group[name])
