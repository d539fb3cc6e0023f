"""Frames between two processes: what is sent arrives, and nonsense is refused."""

import contextlib
import socket
import struct
import threading

import numpy as np
import orjson
import pytest

from runtime.backends.frames import MAX_BYTES, FrameError, Lane


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with contextlib.closing(Lane(one)) as lane, other:
        yield lane, other


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 0, 1),
        np.array(7, np.int64),
        np.zeros((0, 5), np.int32),
        np.array([True, False]),
        np.array([1 + 2j], np.complex128),
        np.array([np.nan, np.inf], np.float16),
        # Larger than what a socket holds at once.
        np.arange(1 << 20, dtype=np.int64),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_arrives_as_it_was(ends, array):
    lane, other = ends
    sender = threading.Thread(target=Lane(other).send, args=[{"n": 1}, {"a": array}])
    sender.start()
    said, arrays = lane.receive()
    sender.join()
    assert said == {"n": 1}
    assert arrays["a"].dtype == array.dtype
    np.testing.assert_array_equal(arrays["a"], array)


def test_texts_arrive_as_bytes(ends):
    lane, other = ends
    texts = np.array([["ä", b"\xff\0"], ["", "two words"]], object)
    Lane(other).send({}, {"numbers": np.ones(3), "texts": texts})
    _, arrays = lane.receive()
    assert arrays["texts"].tolist() == [
        [b"\xc3\xa4", b"\xff\0"],
        [b"", b"two words"],
    ]
    assert arrays["numbers"].tolist() == [1, 1, 1]


def test_the_other_side_s_end_is_told(ends):
    lane, other = ends
    other.close()
    with pytest.raises(EOFError):
        lane.receive()


def frame(described, content=b"", size=None):
    text = orjson.dumps(described)
    size = len(content) if size is None else size
    return struct.pack("<QQ", len(text), size) + text + content


@pytest.mark.parametrize(
    "sent",
    [
        frame({"arrays": []}, size=MAX_BYTES + 1),
        struct.pack("<QQ", 1 << 40, 0),
        frame({}),
        frame([]),
        frame({"arrays": [["a", "float32", [2], 8]]}, bytes(4)),
        frame({"arrays": [["a", "float32", [3], 8]]}, bytes(8)),
        frame({"arrays": [["a", "float32", [-2], 8]]}, bytes(8)),
        frame({"arrays": [["a", "float32", [2.0], 8]]}, bytes(8)),
        frame({"arrays": [["a", "float32", ["2"], 8]]}, bytes(8)),
        frame({"arrays": [["a", "float32", [2], -8]]}, bytes(8)),
        frame({"arrays": [["a", "V8", [1], 8]]}, bytes(8)),
        frame({"arrays": [["a", "datetime64[s]", [1], 8]]}, bytes(8)),
        frame({"arrays": [[1, "float32", [2], 8]]}, bytes(8)),
        frame({"arrays": [["a", "object", [1], 12]]}, struct.pack("<Q4s", 9, b"text")),
        frame({"arrays": [["a", "object", [1 << 40], 8]]}, bytes(8)),
        frame({"arrays": [["a", "object", [2], 8]]}, bytes(8)),
        frame({"arrays": [["a", "float32", [1 << 62, 4], 0]]}),
        struct.pack("<QQ", 8, 0) + b"not JSON",
        frame({"arrays": []}) + b"more",
    ],
)
def test_nonsense_is_refused(ends, sent):
    lane, other = ends
    other.sendall(sent)
    with pytest.raises(FrameError):
        lane.receive()
