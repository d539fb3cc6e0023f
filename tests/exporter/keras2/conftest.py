"""Keras 2 wrote these files; ``make_files.py`` beside this one made them."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.unpacked import unpack

FILES = Path(__file__).with_name("files.tar.xz")


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras2")
    unpack(FILES, folder)
    return folder


@pytest.fixture
def edited(files, tmp_path):
    """Write a file of Keras 2 again, with another description of its model."""

    def edit(name, change):
        path, new = files / name, tmp_path / name
        if path.suffix == ".h5":
            import h5py

            new.write_bytes(path.read_bytes())
            with h5py.File(new, "a") as file:
                config = json.loads(file.attrs["model_config"])
                change(config)
                file.attrs["model_config"] = json.dumps(config)
            return new
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w") as file:
            for entry in old.namelist():
                content = old.read(entry)
                if entry == "config.json":
                    config = json.loads(content)
                    change(config)
                    content = json.dumps(config).encode()
                file.writestr(entry, content)
        return new

    return edit
