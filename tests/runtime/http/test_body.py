import io

import pytest
from falcon.testing import create_environ

from bundle.errors import TooLarge
from runtime.errors import InvalidInput
from runtime.http.body import read_body


def request_of(stream, length):
    environ = create_environ("/json", method="POST")
    environ.pop("CONTENT_LENGTH", None)
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    environ["wsgi.input"] = stream
    return environ


class Dripping(io.BytesIO):
    """A stream that gives one byte at a time, as a socket may."""

    def read(self, size=-1):
        return super().read(min(size, 1))


@pytest.mark.parametrize("length", [None, 5])
@pytest.mark.parametrize("stream", [io.BytesIO, Dripping])
def test_a_body_is_read_to_its_end(stream, length):
    assert read_body(request_of(stream(b"hello"), length), 5) == b"hello"


@pytest.mark.parametrize("length", [None, 6])
def test_a_body_above_the_limit_is_not_read_further(length):
    stream = io.BytesIO(bytes(1000))
    with pytest.raises(TooLarge, match="larger than 5 bytes"):
        read_body(request_of(stream, length), 5)
    assert stream.tell() <= 6


def test_what_follows_a_body_is_left():
    assert read_body(request_of(io.BytesIO(b"hello and more"), 5), 100) == b"hello"


@pytest.mark.parametrize("length", [None, 0])
def test_no_body_is_told_so(length):
    with pytest.raises(InvalidInput, match="has no body"):
        read_body(request_of(io.BytesIO(), length), 5)
