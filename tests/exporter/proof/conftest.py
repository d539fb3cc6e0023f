"""The tests of a proof share the file that it is about."""

import pytest


@pytest.fixture
def onnx_path(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"abc")
    return path
