import numpy as np
import pytest

from runtime.http.reply import to_json


@pytest.mark.parametrize(
    ("media", "text"),
    [
        ({"a": [1, 2.5, None, True, "ß"]}, '{"a":[1,2.5,null,true,"ß"]}'),
        (np.array([[1, 2], [3, 4]], np.int8), "[[1,2],[3,4]]"),
        (np.array([0.1], np.float32), "[0.1]"),
        (np.array([[1, 2], [3, 4]]).T, "[[1,3],[2,4]]"),
        (np.array(["a", "b"], object), '["a","b"]'),
        (np.array(7), "7"),
        (np.array([2**64 - 1], np.uint64), "[18446744073709551615]"),
    ],
)
def test_json_ends_its_line_and_knows_arrays(media, text):
    assert to_json(media) == text.encode() + b"\n"


def test_what_is_not_json_is_a_bug():
    with pytest.raises(TypeError):
        to_json({"a": object()})


def test_numpys_scalars_of_whole_numbers():
    # ONNX Runtime answers numbers of ulonglong, which is another type than uint64.
    values = [np.array([7], kind)[0] for kind in "bBhHiIlLqQ"]
    assert to_json({"values": values}) == b'{"values":[7,7,7,7,7,7,7,7,7,7]}\n'
