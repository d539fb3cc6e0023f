"""Frames between two processes arrive as they were sent, and nonsense is refused."""

import contextlib
import socket
import struct
import threading
import time

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
        # This array is larger than a socket holds at once.
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
        frame(
            {"arrays": [["a", "float32", [2], 8], ["b", "float32", [0], -8]]}, bytes(8)
        ),
        frame({"arrays": [["a", "object", [True], 8]]}, bytes(8)),
        frame({"arrays": [["a", "uint8", [1], True]]}, bytes(1)),
        frame({"arrays": [["a", "bool", [2], 2]]}, b"\1\2"),
        frame({"arrays": [["a", "float32", [0] * 65, 0]]}),
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


@pytest.mark.parametrize(
    "shape",
    # The product of the first has millions of digits; the second is a text of
    # terabytes.
    [[(1 << 63) - 1] * 100_000, ["a" * (1 << 20), 1 << 30, 1 << 30]],
    ids=["digits", "text"],
)
def test_a_shape_costs_no_more_than_its_bytes(ends, shape):
    lane, other = ends
    sent = frame({"arrays": [["a", "float32", shape, 0]]})
    threading.Thread(target=other.sendall, args=[sent]).start()
    start = time.process_time()
    with pytest.raises(FrameError):
        lane.receive()
    assert time.process_time() - start < 2


def test_more_texts_than_there_is_memory_for_are_refused(ends):
    lane, other = ends
    count = (1 << 22) + 1
    sent = frame({"arrays": [["a", "object", [count], 8 * count]]}, bytes(8 * count))
    threading.Thread(target=other.sendall, args=[sent]).start()
    with pytest.raises(FrameError):
        lane.receive()


def test_a_frame_that_comes_byte_by_byte_has_an_end():
    one, other = socket.socketpair()
    over = threading.Event()

    def drip():
        with contextlib.suppress(OSError):
            other.sendall(struct.pack("<QQ", 8, 1 << 20))
            while not over.wait(0.01):
                other.sendall(b" ")

    dripping = threading.Thread(target=drip)
    dripping.start()
    with contextlib.closing(Lane(one, seconds=0.2)) as lane, other:
        with pytest.raises(BlockingIOError):
            lane.receive()
        over.set()
        dripping.join()


def test_a_frame_that_is_taken_byte_by_byte_has_an_end():
    one, other = socket.socketpair()
    over = threading.Event()

    def sip():
        while not over.wait(0.001) and other.recv(4096):
            pass

    sipping = threading.Thread(target=sip)
    sipping.start()
    with contextlib.closing(Lane(one, seconds=0.2)) as lane, other:
        # The service sets this time limit too.
        one.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, 50000)
        )
        with pytest.raises(BlockingIOError):
            lane.send({}, {"a": np.zeros(1 << 24)})
        over.set()
    sipping.join()
