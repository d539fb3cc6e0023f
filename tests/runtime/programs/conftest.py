"""A bundle with all kinds of models in it, whose programs are looked at."""

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
    """Looks at the bundle, with another SavedModel in it if one is given."""

    def look(model=None, *, trusted=False):
        if model is not None:
            (folder / "saved_model.pb").write_bytes(model.SerializeToString())
        check_programs(open_bundle(folder), trusted=trusted)

    return look
