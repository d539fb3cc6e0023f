from __future__ import annotations

import struct

import pytest

from bundle.decode import decode_image
from bundle.errors import ImageError

PALETTE = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def bmp(
    width: int, height: int, bits: int, compression: int, data: bytes, colours: int = 3
) -> bytes:
    """Return a BMP with a BITMAPINFOHEADER, whose rows go upwards."""
    palette = b"".join(bytes([b, g, r, 0]) for r, g, b in PALETTE) if bits <= 8 else b""
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, colours, 0
    )
    start = 14 + len(info) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start)
    return head + info + palette + data


RED, GREEN, BLUE = PALETTE


def test_run_lengths_are_read() -> None:
    # The codes say: 2 x 1, the end of a row, a literal run of three bytes with its
    # filling byte, the end.
    data = b"\2\1\1\2\0\0" + b"\0\3\0\1\2\0" + b"\0\1"
    assert decode_image(bmp(3, 2, 8, 1, data), 3).tolist() == [
        [RED, GREEN, BLUE],
        [GREEN, GREEN, BLUE],
    ]


@pytest.mark.parametrize("compression", [1, 2])
def test_run_lengths_of_many_pixels_are_refused(compression: int) -> None:
    data = bmp(4096, 4096, 8 // compression, compression, b"\1\1" * 5_000_000)
    with pytest.raises(ImageError, match=r"run-length coded BMP .* save it as PNG"):
        decode_image(data, 3)


def test_runs_without_pixels_have_an_end() -> None:
    # This is the end of a row again and again, which changes nothing at the beginning
    # of a row.
    data = b"\1\0\0\0" + b"\0\0" * 5_000_000 + b"\0\1"
    with pytest.raises(ImageError, match="Invalid image"):
        decode_image(bmp(2, 2, 8, 1, data), 3)


@pytest.mark.parametrize(
    "data",
    [
        bmp(4096, 4096, 24, 0, b"\0" * 100),
        bmp(2, 2, 8, 0, b"\0" * 8, colours=65536),
        bmp(0, 2, 24, 0, b""),
        bmp(-2, 2, 24, 0, b"\0" * 16),
        bmp(2, 2, 24, 4, b"\0" * 16),
        bmp(2, 2, 24, 0, b"\0" * 16).replace(struct.pack("<I", 40), b"\xff" * 4, 1),
    ],
)
def test_what_its_header_cannot_mean_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"damaged, cut short"):
        decode_image(data, 3)


def test_a_huge_bmp_is_refused_before_its_pixels() -> None:
    with pytest.raises(ImageError, match="65536 x 65536 pixels are more than"):
        decode_image(bmp(65536, 65536, 24, 0, b""), 3)


def test_rows_downwards_are_read() -> None:
    rows = bytes([*BLUE[::-1], 0, *RED[::-1], 0])
    assert decode_image(bmp(1, -2, 24, 0, rows), 3).tolist() == [[BLUE], [RED]]


def test_the_oldest_header_is_read() -> None:
    """BITMAPCOREHEADER is OS/2's header: it has 12 bytes, and sides of 16 bits."""
    core = struct.pack("<IHHHH", 12, 2, 1, 1, 24)
    row = bytes([*RED[::-1], *GREEN[::-1], 0, 0])
    head = b"BM" + struct.pack("<IHHI", 26 + len(row), 0, 0, 26)
    assert decode_image(head + core + row, 3).tolist() == [[RED, GREEN]]
