"""A bundle holds all kinds of models, whose programs are checked."""

import pytest

from bundle.folder import open_bundle
from runtime.programs import check_programs
from tests.examples import write_bundle


@pytest.fixture
def folder(tmp_path):
    folder = write_bundle(tmp_path / "linear")
    (folder / "variables").mkdir()
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (folder / "variables" / name).write_bytes(b"weights")
    return folder


@pytest.fixture
def check(folder):
    """Return a function that checks the bundle, or another SavedModel in it."""

    def look(model=None, *, trusted=False):
        if model is not None:
            (folder / "saved_model.pb").write_bytes(model.SerializeToString())
        check_programs(open_bundle(folder), trusted=trusted)

    return look
