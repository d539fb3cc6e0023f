import numpy as np
import pytest

from runtime.errors import BackendError
from runtime.prediction.postprocess import postprocess


def test_a_row_passes_as_it_is():
    row = np.array([0.25, 0.75], np.float32)
    assert postprocess(row).tolist() == [0.25, 0.75]


def test_a_strided_row_becomes_one_that_json_takes():
    column = np.arange(6, dtype=np.float32).reshape(2, 3)[:, 1]
    assert postprocess(column).flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_json_cannot_say_is_an_error(value):
    with pytest.raises(BackendError, match="NaN or infinity"):
        postprocess(np.array([0.5, value], np.float32))


def test_whole_numbers_pass():
    assert postprocess(np.array([1, 2])).tolist() == [1, 2]


def test_strings_become_texts():
    """ONNX Runtime answers str and TensorFlow bytes, and a single text is no array."""
    texts = np.array([["a", "größer"]], object)
    assert postprocess(texts).tolist() == [["a", "größer"]]
    assert postprocess(np.array([b"a", "ß".encode()], object)).tolist() == ["a", "ß"]
    assert postprocess(b"a").tolist() == "a"


def test_bytes_that_are_no_text_are_an_error():
    with pytest.raises(BackendError, match="not UTF-8"):
        postprocess(np.array([b"\xff"], object))


def test_one_number_stays_one():
    assert postprocess(np.array(2.5, np.float32)).shape == ()
