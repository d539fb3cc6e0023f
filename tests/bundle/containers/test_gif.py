from __future__ import annotations

import struct

import pytest

from bundle.containers.look import MAX_PIECES
from bundle.decode import decode_image
from bundle.errors import ImageError

RED, BLACK, GREEN = [255, 0, 0], [0, 0, 0], [0, 255, 0]


def gif(
    width: int, height: int, *blocks: bytes, palette: bytes = bytes([*RED, *GREEN])
) -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    return b"GIF89a" + screen + palette + b"".join(blocks) + b";"


def picture(
    left: int, top: int, width: int, height: int, palette: bytes = b""
) -> bytes:
    """Return a GIF whose pixels all have number 1, as codes that are never joined."""
    place = struct.pack("<HHHHB", left, top, width, height, 0x80 if palette else 0)
    # The codes have 3 bits: a clear code, a one, and so on, so that they never grow to
    # 4 bits; then the end code.
    codes = [code for _ in range(width * height) for code in (4, 1)] + [5]
    number = sum(code << 3 * index for index, code in enumerate(codes))
    data = number.to_bytes(-(-3 * len(codes) // 8), "little")
    pieces = [data[start : start + 255] for start in range(0, len(data), 255)]
    return (
        b"," + place + palette + b"\2"
        + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"
    )  # fmt: skip


def extension(kind: int, *blocks: bytes) -> bytes:
    parts = b"".join(bytes([len(block)]) + block for block in blocks)
    return bytes([0x21, kind]) + parts + b"\0"


TRANSPARENT = extension(0xF9, b"\1\0\0\1")


def test_the_first_picture_is_read_and_its_palette_is_its_own() -> None:
    own = bytes([*BLACK, *RED])
    data = gif(2, 1, picture(0, 0, 2, 1, own), picture(0, 0, 2, 1))
    assert decode_image(data, 3).tolist() == [[RED, RED]]
    assert decode_image(gif(2, 1, picture(0, 0, 2, 1)), 3).tolist() == [[GREEN, GREEN]]


@pytest.mark.parametrize(
    "before",
    [
        extension(0xFE, *[b"a comment"] * 50),
        extension(0xFF, b"NETSCAPE2.0", b"\1\0\0"),
        extension(0xFF, b"ICCRGBG1012", *[bytes(255)] * 999),
        extension(0xFF, b"NETSCAPE2.0"),
        extension(0x01, bytes(12)),
        extension(0xF9, b"\1"),
        extension(0xF9),
        b"\0\0junk",
    ],
)
def test_metadata_decides_nothing(before: bytes) -> None:
    data = gif(2, 1, before, picture(0, 0, 2, 1))
    assert decode_image(data, 3).tolist() == [[GREEN, GREEN]]


def test_transparency_among_metadata_is_found() -> None:
    comment = extension(0xFE, b"a")
    data = gif(2, 1, comment, TRANSPARENT, comment, picture(0, 0, 2, 1))
    assert decode_image(data, 3).tolist() == [[BLACK, BLACK]]


def test_a_picture_beyond_the_screen_makes_it_larger() -> None:
    data = gif(1, 1, TRANSPARENT, picture(2, 1, 1, 1))
    assert decode_image(data, 3).shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("screen", "place"), [((65535, 65535), (0, 0)), ((1, 1), (65535, 65535))]
)
def test_a_huge_screen_is_refused(
    screen: tuple[int, int], place: tuple[int, int]
) -> None:
    with pytest.raises(ImageError, match="pixels are more than 16777216"):
        decode_image(gif(*screen, picture(*place, 1, 1)), 3)


@pytest.mark.parametrize(
    "before",
    [
        extension(0xFE, *[b"a"] * MAX_PIECES, b"b"),
        extension(0xF9, b"\1\0\0\1") * MAX_PIECES,
        extension(0xFE) * (MAX_PIECES + 1),
    ],
)
def test_more_blocks_than_a_picture_may_have_are_not_read(before: bytes) -> None:
    with pytest.raises(ImageError, match="more than 65536 blocks"):
        decode_image(gif(1, 1, before, picture(0, 0, 1, 1)), 3)


def test_frames_behind_the_first_are_not_looked_at() -> None:
    damaged = b"," + b"\xff" * 9 + b"\2"
    data = gif(2, 1, picture(0, 0, 2, 1), *[damaged] * 5000)
    assert decode_image(data, 3).tolist() == [[GREEN, GREEN]]
