"""The service's copies of TensorFlow's and onnx's messages are whole."""

from pathlib import Path

import pytest

import runtime.programs
from tools import messages

FOLDER = Path(runtime.programs.__file__).parent


@pytest.mark.tensorflow
def test_the_messages_are_tensorflows(monkeypatch, tmp_path):
    """A field that our copy lacks is a field that TensorFlow lacks."""
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(messages, "FOLDER", tmp_path)
    messages.main()
    for name in ("tensorflow.proto", "onnx.proto"):
        made = (tmp_path / name).read_text()
        assert made == (FOLDER / name).read_text(), "run python -m tools.messages"
