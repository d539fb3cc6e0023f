from __future__ import annotations

import io
import random
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bundle.decode import MAX_PIXELS, Large, decode_image, pixels_of, shape_of
from bundle.errors import ImageError
from tests.pictures import (
    COLOUR,
    COLOUR_ALPHA,
    GRAY,
    GRAY_ALPHA,
    PALETTE,
    chunk,
    png,
    saved,
)

RED, GREEN, BLUE, BLACK = [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]


def pixels(data: bytes, channels: int) -> Any:
    image = decode_image(data, channels)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == channels
    return image.tolist()


# --- formats


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_every_format_gives_its_pixels_and_shape(form: str) -> None:
    image = Image.new("RGB", (4, 3), (250, 10, 10))
    options = {"lossless": True} if form == "WEBP" else {}
    got = decode_image(saved(image, form, **options), 3)
    assert got.shape == (3, 4, 3)
    slack = 3 if form == "JPEG" else 0
    assert np.abs(got.astype(int) - [250, 10, 10]).max() <= slack


@pytest.mark.parametrize("form", ["TIFF", "EPS", "PPM", "ICO", "TGA", "PCX", "PDF"])
def test_other_formats_are_refused(form: str) -> None:
    data = saved(Image.new("RGB", (32, 32)), form)
    with pytest.raises(ImageError, match=r"^Invalid image"):
        decode_image(data, 3)


def test_rows_come_before_columns() -> None:
    image = Image.new("RGB", (2, 1))
    image.putdata([(255, 0, 0), (0, 0, 255)])
    assert pixels(saved(image), 3) == [[RED, BLUE]]


# --- modes


def test_gray_of_8_bits() -> None:
    data = png(2, 1, 8, GRAY, b"\0\x07\xf0")
    assert pixels(data, 1) == [[[7], [240]]]
    assert pixels(data, 3) == [[[7] * 3, [240] * 3]]


def test_gray_of_1_bit_is_black_and_white() -> None:
    data = png(3, 1, 1, GRAY, b"\0\xa0")  # The pixels are 1 0 1.
    assert pixels(data, 1) == [[[255], [0], [255]]]
    assert pixels(data, 3) == [[[255] * 3, [0] * 3, [255] * 3]]


def test_gray_of_4_bits_spans_the_range() -> None:
    assert pixels(png(2, 1, 4, GRAY, b"\0\x0f"), 1) == [[[0], [255]]]


@pytest.mark.parametrize(
    ("deep", "byte"),
    # round(deep / 257): an 8-bit value v written as 16 bits is v * 257.
    [
        *[(0, 0), (128, 0), (129, 1), (257, 1), (0x8080, 128), (0xFEFE, 254)],
        *[(65406, 254), (65407, 255), (65535, 255)],
    ],
)
def test_gray_of_16_bits_is_rounded(deep: int, byte: int) -> None:
    data = png(1, 1, 16, GRAY, b"\0" + deep.to_bytes(2, "big"))
    assert pixels(data, 1) == [[[byte]]]
    assert pixels(data, 3) == [[[byte] * 3]]
    assert shape_of(data)[2] == 1


def test_transparent_gray_of_16_bits_is_black() -> None:
    rows = b"\0\xff\xff\x80\x80"
    data = png(2, 1, 16, GRAY, rows, chunk(b"tRNS", b"\xff\xff"))
    assert pixels(data, 1) == [[[0], [128]]]


def test_colour_becomes_gray_by_rec_601() -> None:
    # ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B.
    data = png(4, 1, 8, COLOUR, bytes([0, *RED, *GREEN, *BLUE, 255, 255, 255]))
    assert pixels(data, 1) == [[[76], [150], [29], [255]]]
    assert shape_of(data)[2] == 3


def test_alpha_lies_over_black() -> None:
    rows = bytes([0, 255, 0, 0, 255, 255, 0, 0, 0, 200, 100, 50, 128])
    got = pixels(png(3, 1, 8, COLOUR_ALPHA, rows), 3)
    assert got[0][:2] == [RED, BLACK]
    assert np.abs(np.array(got[0][2]) - [100, 50, 25]).max() <= 1  # times 128 / 255


def test_gray_with_alpha_lies_over_black() -> None:
    data = png(2, 1, 8, GRAY_ALPHA, bytes([0, 200, 255, 200, 0]))
    assert pixels(data, 1) == [[[200], [0]]]
    assert shape_of(data)[2] == 1


@pytest.mark.parametrize("bits", [1, 8])
def test_transparent_gray_value_is_black(bits: int) -> None:
    row = b"\0\x80" if bits == 1 else b"\0\x01\x00"
    data = png(2, 1, bits, GRAY, row, chunk(b"tRNS", b"\0\x01"))
    assert pixels(data, 1) == [[[0], [0]]]


def test_transparent_colour_is_black() -> None:
    trns = chunk(b"tRNS", bytes([0, 255, 0, 0, 0, 0]))
    data = png(2, 1, 8, COLOUR, bytes([0, *RED, *BLUE]), trns)
    assert pixels(data, 3) == [[BLACK, BLUE]]


def test_transparent_colour_of_16_bits_is_black_where_all_six_bytes_are_its() -> None:
    colour = bytes.fromhex("1234 5678 9abc")
    rest = [
        bytes(byte ^ (place == other) for place, byte in enumerate(colour))
        for other in range(6)
    ]
    rows = b"\0" + b"".join([colour, *rest[:3]]) + b"\0" + b"".join([*rest[3:], colour])
    data = png(4, 2, 16, COLOUR, rows, chunk(b"tRNS", colour))
    # Other pixels keep their upper bytes, as Pillow does it without tRNS.
    with Image.open(io.BytesIO(png(4, 2, 16, COLOUR, rows))) as image:
        expected = np.array(image.convert("RGB"))
    assert expected[0, 0].tolist() == [0x12, 0x56, 0x9A]
    expected[0, 0] = expected[1, 3] = 0
    assert pixels(data, 3) == expected.tolist()


def test_palette_with_transparency() -> None:
    plte = chunk(b"PLTE", bytes([*RED, *GREEN, *BLUE]))
    data = png(3, 1, 8, PALETTE, b"\0\0\1\2", plte, chunk(b"tRNS", b"\xff\x00"))
    assert pixels(data, 3) == [[RED, BLACK, BLUE]]


def test_palette_of_a_gif_with_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    assert pixels(saved(image, "GIF", transparency=1), 3) == [[RED, BLACK]]
    assert pixels(saved(image, "GIF"), 3) == [[RED, GREEN]]


def test_cmyk_jpeg_is_brought_to_rgb() -> None:
    data = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(decode_image(data, 3).astype(int) - RED).max() <= 3
    assert decode_image(data, 1).shape == (8, 8, 1)


@pytest.mark.parametrize(
    ("mode", "gray"),
    [
        *[(mode, True) for mode in ("1", "L", "LA", "I;16")],
        *[(mode, False) for mode in ("P", "RGB", "RGBA")],
    ],
)
def test_a_picture_is_gray_by_its_mode(mode: str, gray: bool) -> None:
    assert shape_of(saved(Image.new(mode, (3, 2)))) == (2, 3, 1 if gray else 3)


def test_a_gray_jpeg_is_gray_by_its_mode() -> None:
    # Pillow decodes this kind, and a quick decoder the PNGs above.
    data = saved(Image.new("L", (2, 2)), "JPEG", progressive=True)
    assert shape_of(data)[2] == 1


# --- orientation and frames

# TIFF 6.0, tag 274, tells the side at which the stored rows and columns begin. The
# stored picture is red and green above blue and black.
ORIENTED = {
    1: [[RED, GREEN], [BLUE, BLACK]],
    2: [[GREEN, RED], [BLACK, BLUE]],
    3: [[BLACK, BLUE], [GREEN, RED]],
    4: [[BLUE, BLACK], [RED, GREEN]],
    5: [[RED, BLUE], [GREEN, BLACK]],
    6: [[BLUE, RED], [BLACK, GREEN]],
    7: [[BLACK, GREEN], [BLUE, RED]],
    8: [[GREEN, BLACK], [RED, BLUE]],
}


@pytest.mark.parametrize("orientation", ORIENTED)
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.new("RGB", (2, 2))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)])
    assert pixels(saved(image, "PNG", exif=exif), 3) == ORIENTED[orientation]


@pytest.mark.parametrize("orientation", ORIENTED)
def test_a_shape_is_that_of_the_upright_picture(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(Image.new("RGB", (7, 5)), "PNG", exif=exif)
    assert shape_of(data) == decode_image(data, 3).shape


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_of_several_frames_the_first_is_taken(form: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    data = saved(
        frames[0],
        form,
        save_all=True,
        append_images=frames[1:],
        **({"lossless": True} if form == "WEBP" else {}),
    )
    with Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 3
    assert pixels(data, 3) == [[RED] * 4] * 4


# --- size


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_a_pictures_size_is_width_times_height(form: str) -> None:
    data = saved(Image.new("RGB", (7, 5)), form)
    assert pixels_of(data) == 35
    assert decode_image(data, 1, 35).shape == (5, 7, 1)
    with pytest.raises(Large):
        decode_image(data, 1, 34)


def test_a_picture_that_is_too_large_for_who_asks_is_not_decoded() -> None:
    # The data is cut short, so decoding it would raise another error.
    with pytest.raises(Large):
        decode_image(png(7, 5, 8, GRAY, b""), 1, 34)


# --- refused


@pytest.mark.parametrize(
    "data", [b"", b"x", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"BM", b"<svg/>", bytes(1000)]
)
@pytest.mark.parametrize("ask", [lambda d: decode_image(d, 1), shape_of, pixels_of])
def test_what_is_no_image_is_refused(data: bytes, ask: Any) -> None:
    with pytest.raises(ImageError, match=r"^Invalid image: .* PNG, JPEG, BMP, GIF or"):
        ask(data)


# No format can make these pixels small, so each cut at a tenth goes through them.
NOISE = Image.frombytes("RGB", (24, 24), random.Random(1).randbytes(24 * 24 * 3))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
@pytest.mark.parametrize("tenth", range(1, 10))
def test_truncated_image_is_refused(form: str, tenth: int) -> None:
    data = saved(NOISE, form)
    with pytest.raises(ImageError):
        decode_image(data[: len(data) * tenth // 10], 3)


def test_picture_of_89_megapixels_is_refused_unread() -> None:
    # The size is below Pillow's own limit. The data is wrong on purpose: decoding it
    # would raise another error.
    data = png(9459, 9459, 1, GRAY, b"not so many rows")
    start = time.perf_counter()
    with pytest.raises(ImageError, match="9459 x 9459 pixels are more than 16777216"):
        decode_image(data, 1)
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("side", [20_000, 2**31 - 1])
def test_picture_beyond_pillows_limit_is_refused(side: int) -> None:
    with pytest.raises(ImageError, match=r"^Invalid image"):
        decode_image(png(side, side, 1, GRAY, b""), 1)


def test_pixels_at_the_limit_are_taken_and_one_row_more_is_not() -> None:
    assert MAX_PIXELS == 4096 * 4096
    most = Image.new("1", (4096, 4096))
    assert decode_image(saved(most), 1).shape == (4096, 4096, 1)
    with pytest.raises(ImageError, match="4096 x 4097 pixels"):
        decode_image(saved(Image.new("1", (4096, 4097))), 1)


VICTIMS = {
    "png": saved(NOISE),
    "palette": png(
        3,
        1,
        8,
        PALETTE,
        b"\0\0\1\2",
        chunk(b"PLTE", bytes([*RED, *GREEN, *BLUE])),
        chunk(b"tRNS", b"\xff\x00"),
    ),
    "deep": png(2, 1, 16, GRAY, b"\0\xff\xff\x80\x80", chunk(b"tRNS", b"\0\1")),
    "jpeg": saved(NOISE, "JPEG"),
    "exif": saved(
        NOISE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\1\3\0\1\0\0\0\6"
    ),
    "cmyk": saved(NOISE.convert("CMYK"), "JPEG"),
    "bmp": saved(NOISE, "BMP"),
    "gif": saved(NOISE.convert("P"), "GIF", transparency=3),
    "webp": saved(NOISE, "WEBP"),
}


@pytest.mark.parametrize("victim", VICTIMS)
# No warning of Pillow reaches a log. Otherwise anybody could fill the log with them.
@pytest.mark.filterwarnings("error")
@given(data=st.data())
def test_damaged_image_is_refused_or_decoded(victim: str, data: st.DataObject) -> None:
    damaged = bytearray(VICTIMS[victim])
    fixed = data.draw(st.booleans())
    for place in data.draw(
        st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)
    ):
        damaged[place] ^= data.draw(st.integers(1, 255))
    whole = bytes(damaged)
    if fixed and whole.startswith(b"\x89PNG\r\n\x1a\n"):
        whole = with_checksums(whole)
    try:
        image = decode_image(whole, 3)
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.size > 0
    assert image.shape[2] == 3


def with_checksums(data: bytes) -> bytes:
    """Return the PNG with right checksums, so that damage reaches the decoder."""
    fixed, place = data[:8], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        fixed += chunk(kind, body)
        place += 12 + size
    return fixed


@pytest.mark.parametrize(
    ("visible", "ground"), [(0, 255), (30, 255), (127, 255), (128, 0), (255, 0)]
)
def test_transparent_pixels_lie_over_the_contrast_where_it_is_wanted(
    visible: int, ground: int
) -> None:
    # A pixel of the ink, one that is half transparent, and one of the ground.
    image = np.array([[[visible, 255], [visible, 128], [7, 0]]], np.uint8)
    data = saved(Image.fromarray(image, "LA"))
    half = (visible * 128 + ground * 127) / 255
    ink, edge, other = decode_image(data, 1, over_contrast=True).ravel().tolist()
    assert (ink, other) == (visible, ground)
    assert abs(edge - half) <= 1
    assert decode_image(data, 1).ravel().tolist()[2] == 0


def test_a_picture_without_transparency_is_the_same_over_any_ground() -> None:
    image = Image.fromarray(np.full((4, 4, 2), (9, 255), np.uint8), "LA")
    data = saved(image)
    assert np.array_equal(
        decode_image(data, 1, over_contrast=True), np.full((4, 4, 1), 9)
    )
