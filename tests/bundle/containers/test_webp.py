from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from bundle.containers.look import MAX_PIECES
from bundle.decode import decode_image
from bundle.errors import ImageError
from tests.pictures import orientation, riff, saved, tiff

RED, BLACK = [255, 0, 0], [0, 0, 0]
PAIR = Image.new("RGB", (2, 1), "red")
PAIR.putpixel((1, 0), (0, 0, 255))
PLAIN = saved(PAIR, "WEBP", lossless=True)
PIXELS = PLAIN[12:16], PLAIN[20 : 20 + struct.unpack("<I", PLAIN[16:20])[0]]
EXIF, ICC, XMP, ALPHA = 8, 32, 4, 16


def header(flags: int, width: int = 2, height: int = 1) -> tuple[bytes, bytes]:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sides


def frame(left: int, top: int, image: Image.Image) -> tuple[bytes, bytes]:
    data = saved(image, "WEBP", lossless=True)[12:]
    corner = (left // 2).to_bytes(3, "little") + (top // 2).to_bytes(3, "little")
    sides = b"".join((n - 1).to_bytes(3, "little") for n in image.size)
    return b"ANMF", corner + sides + bytes([100, 0, 0, 0]) + data


@pytest.mark.filterwarnings("error")
def test_exif_behind_the_pixels_turns_them_and_other_metadata_does_nothing() -> None:
    data = riff(
        header(EXIF | ICC | XMP),
        (b"ICCP", b"no profile"),
        PIXELS,
        (b"EXIF", tiff(orientation(2), (0x010E, 5, 1, bytes(8)))),
        (b"XMP ", b'tiff:Orientation="6"'),
    )
    assert decode_image(data, 3).tolist() == [[[0, 0, 255], RED]]


@pytest.mark.parametrize("block", [b"", b"II*\0", tiff(orientation(9)), b"\xff" * 1000])
def test_damaged_exif_is_upright(block: bytes) -> None:
    data = riff(header(EXIF), PIXELS, (b"EXIF", block))
    assert decode_image(data, 3).tolist() == [[RED, [0, 0, 255]]]


def test_of_thousands_of_frames_the_first_is_taken_where_it_stands() -> None:
    small = Image.new("RGB", (2, 2), "red")
    first = frame(2, 0, small)
    data = riff(
        header(2, 4, 2), (b"ANIM", bytes(6)), first, *[frame(0, 0, small)] * 5000
    )
    wanted = np.zeros((2, 4, 3), np.uint8)
    wanted[:, 2:] = RED  # the rest of the canvas is transparent
    assert np.array_equal(decode_image(data, 3), wanted)


def test_a_frame_outside_the_canvas_is_refused() -> None:
    data = riff(
        header(2, 4, 2), (b"ANIM", bytes(6)), frame(4, 2, Image.new("RGB", (2, 2)))
    )
    with pytest.raises(ImageError, match="damaged"):
        decode_image(data, 3)


def test_a_huge_canvas_is_refused_before_it_is_made() -> None:
    # libwebp's decoder begins by allocating two buffers of 1 GiB each.
    with pytest.raises(ImageError, match="16383 x 16383 pixels are more than"):
        decode_image(riff(header(0, 16383, 16383), PIXELS), 3)


def test_more_chunks_than_a_picture_may_have_are_not_read() -> None:
    data = riff(header(EXIF), PIXELS, *[(b"abcd", b"")] * MAX_PIECES)
    with pytest.raises(ImageError, match="more than 65536 chunks"):
        decode_image(data, 3)


def test_alpha_beside_lossy_pixels_lies_over_black() -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 255))
    image.paste((255, 0, 0, 0), (0, 0, 16, 8))
    data = saved(image, "WEBP", quality=100)
    assert b"ALPH" in data
    pixels = decode_image(data, 3)
    assert pixels[:8].max() == 0
    assert np.abs(pixels[10:].astype(int) - RED).max() <= 4


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8 ", b"VP8L", b"ALPH"])
def test_nothing_behind_its_first_name_is_refused(kind: bytes) -> None:
    for size in (0, 3, 10):
        with pytest.raises(ImageError, match="Invalid image"):
            decode_image(riff((kind, bytes(size))), 3)
