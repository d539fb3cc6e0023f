"""Packed bodies have limits, and long replies are packed by other threads."""

import gzip
import io
import zlib

import pytest

from bundle.errors import TooLarge
from runtime.http.encodings import encoded, read_encoded_body
from tests.runtime.hubs import run_in_lane

MOST = 1 << 20


def env_of(body, encoding="gzip", **more):
    return {
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": encoding,
        "wsgi.input": io.BytesIO(body),
        **more,
    }


@pytest.mark.parametrize("size", [1, 60_000, MOST])
@pytest.mark.parametrize(
    ("pack", "encoding"), [(gzip.compress, "gzip"), (zlib.compress, "deflate")]
)
def test_a_packed_body_is_unpacked(size, pack, encoding):
    assert read_encoded_body(env_of(pack(bytes(size)), encoding), MOST) == bytes(size)


def test_more_than_the_limit_is_not_unpacked():
    env = env_of(zlib.compress(bytes(MOST + 1)), "deflate")
    with pytest.raises(TooLarge, match="unpacks to more than 1048576 bytes"):
        read_encoded_body(env, MOST)


def test_a_small_limit_holds_at_once():
    with pytest.raises(TooLarge, match="unpacks to more than 2000 bytes"):
        read_encoded_body(env_of(gzip.compress(bytes(2001))), 2000)


@pytest.mark.parametrize(("size", "offered"), [(60_000, []), (70_000, [""])])
def test_a_long_reply_is_packed_elsewhere(size, offered):
    env = {"HTTP_ACCEPT_ENCODING": "deflate"}
    (body, headers), where = run_in_lane(lambda: encoded(env, bytes(size)))
    assert zlib.decompress(body) == bytes(size)
    assert dict(headers) == {"Content-Encoding": "deflate", "Vary": "Accept-Encoding"}
    assert where == offered
