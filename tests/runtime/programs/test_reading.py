"""Files of models are read as messages, or refused with a sentence."""

import pytest

from runtime.programs.reading import Damaged, read, refusal
from runtime.programs.tensorflow_pb2 import SavedModel

# Field 1 of a SavedModel is its schema's version, as a number, with the tag 0x08.
VERSION_ONE = b"\x08\x01"


def test_a_file_is_read_into_the_message(tmp_path):
    path = tmp_path / "saved_model.pb"
    path.write_bytes(VERSION_ONE)
    assert read(path, SavedModel()).saved_model_schema_version == 1


@pytest.mark.parametrize("content", [b"\x08", b"\xff\xff", b"no message"])
def test_a_damaged_file_is_a_sentence_without_its_folder(tmp_path, content):
    path = tmp_path / "saved_model.pb"
    path.write_bytes(content)
    with pytest.raises(Damaged, match="^saved_model.pb is damaged: it cannot be read$"):
        read(path, SavedModel())


def test_a_file_that_cannot_be_opened_is_a_sentence_without_its_folder(tmp_path):
    sentence = "^saved_model.pb cannot be read: No such file or directory$"
    with pytest.raises(Damaged, match=sentence):
        read(tmp_path / "saved_model.pb", SavedModel())


def test_a_refusal_names_the_file_and_where_to_read_on():
    sentence = "model.onnx: it reads files; docs/versions.md says what is taken"
    assert str(refusal("model.onnx", "it reads files")) == sentence
