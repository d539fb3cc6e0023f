import base64
import io
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidInput
from runtime.publishing.base64_text import Base64Reader


class Drops(io.BytesIO):
    """A stream that gives at most a few bytes a read, as sockets may."""

    def __init__(self, data, size):
        super().__init__(data)
        self.size = size

    def read(self, size=-1):
        return super().read(self.size)


def decoded(text, drop=1 << 20, size=1 << 18):
    reader = Base64Reader(Drops(text, drop))
    return b"".join(iter(lambda: reader.read(size), b""))


# These are the examples of RFC 4648, section 10.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b""),
        (b"Zg==", b"f"),
        (b"Zm8=", b"fo"),
        (b"Zm9v", b"foo"),
        (b"Zm9vYg==", b"foob"),
        (b"Zm9vYmE=", b"fooba"),
        (b"Zm9vYmFy", b"foobar"),
    ],
)
def test_it_is_decoded_as_the_standard_says(text, expected):
    assert decoded(text) == expected


@pytest.mark.slow
def test_what_the_base64_command_writes_is_read():
    data = bytes(range(256)) * 50
    text = subprocess.run(["base64"], input=data, capture_output=True, check=True)
    assert b"\n" in text.stdout
    assert decoded(text.stdout) == data


@given(
    data=st.binary(max_size=200),
    drop=st.integers(1, 9),
    size=st.integers(1, 9),
    width=st.integers(1, 80),
)
def test_lines_and_reads_of_any_length_are_decoded(data, drop, size, width):
    text = base64.b64encode(data)
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    assert decoded(b" \r\n\t".join(lines), drop, size) == data


@pytest.mark.parametrize("drop", [1, 3, 100])
@pytest.mark.parametrize(
    "text",
    [
        b"Zm9v!",
        b"Zm9vYg",
        b"Zg==Zg==",
        b"Zg===",
        b"=",
        b"Z",
        b"\x1f\x8b\x08\x00",
        b"_-_-",
    ],
)
def test_what_is_no_base64_is_refused(text, drop):
    with pytest.raises(InvalidInput, match="base64"):
        decoded(text, drop)


def test_what_follows_the_end_is_refused_however_far_behind():
    with pytest.raises(InvalidInput, match="base64"):
        decoded(b"Zg==" + b"\n" * (3 << 18) + b"Zm9v")
