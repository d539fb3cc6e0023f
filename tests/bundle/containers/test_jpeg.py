from __future__ import annotations

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from bundle.containers.jpeg import MAX_SEGMENTS
from bundle.decode import decode_image, pixels_of
from bundle.errors import ImageError
from tests.pictures import (
    Entry,
    exif,
    orientation,
    progressive,
    saved,
    segment,
    tiff,
    with_segments,
)

# The left half is black, the right half is white.
HALVES = np.zeros((16, 16), np.uint8)
HALVES[:, 8:] = 255
JPEG = saved(Image.fromarray(HALVES), "JPEG", quality=100)
TURNED = np.rot90(HALVES, -1)  # the first row is at the right


def assert_is(data: bytes, wanted: np.ndarray) -> None:
    pixels = decode_image(data, 1)[:, :, 0].astype(int)
    assert pixels.shape == wanted.shape
    assert np.abs(pixels - wanted).max() <= 3


ODD: dict[str, Entry] = {
    "description is a rational": (0x010E, 5, 1, struct.pack("<II", 1, 2)),
    "compression is below zero": (0x0103, 9, 1, struct.pack("<i", -70000)),
    "resolution is a text": (0x011A, 2, 4, b"72\0\0"),
    "resolution divides by zero": (0x011A, 5, 1, bytes(8)),
    "a text of floats": (0x0131, 12, 1, b"\xff" * 8),
    "maker of no type": (0x010F, 200, 7, b"abc"),
    "a value beyond the end": (0x010F, 2, 0x7FFFFFFF, b"\xff\xff\xff\x7f\0"),
    "EXIF in itself": (0x8769, 4, 1, struct.pack("<I", 8)),
    "GPS nowhere": (0x8825, 4, 1, b"\xff\xff\xff\xff"),
    "maker's note of nothing": (0x927C, 7, 0, b""),
    "orientation again, damaged": (0x0112, 2, 1, b"x"),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("error")
def test_one_odd_tag_spoils_no_orientation(name: str) -> None:
    assert_is(with_segments(JPEG, exif(orientation(6), ODD[name])), TURNED)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("error")
def test_one_odd_tag_spoils_no_picture(name: str) -> None:
    assert_is(with_segments(JPEG, exif(ODD[name])), HALVES)


SEGMENTS = {
    "EXIF that is cut short": segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0"),
    "JFIF of nothing": segment(0xE0, b"JFIF\0"),
    "Adobe of nothing": segment(0xEE, b"Adobe"),
    "Photoshop that is cut short": segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed"),
    "several pictures, none of them": segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
    "several pictures elsewhere": segment(
        0xE2,
        b"MPF\0"
        + tiff((0xB001, 4, 1, struct.pack("<I", 2)), (0xB002, 7, 32, b"\xff" * 32)),
    ),
    "a profile without its second half": segment(0xE2, b"ICC_PROFILE\0\1\2abc"),
    "a profile of no number": segment(0xE2, b"ICC_PROFILE\0"),
    "XMP that turns it": segment(
        0xE1, b'http://ns.adobe.com/xap/1.0/\0tiff:Orientation="6"'
    ),
    "a comment of 64 kB": segment(0xFE, b"c" * 65000),
}


@pytest.mark.parametrize("name", SEGMENTS)
@pytest.mark.filterwarnings("error")
def test_metadata_decides_nothing(name: str) -> None:
    assert_is(with_segments(JPEG, SEGMENTS[name]), HALVES)


def test_the_first_orientation_counts() -> None:
    assert_is(with_segments(JPEG, exif(orientation(6)), exif(orientation(3))), TURNED)


def test_of_several_pictures_the_first_is_taken_as_its_exif_says() -> None:
    block = Image.Exif()
    block[274] = 6
    images = [Image.fromarray(HALVES), Image.new("L", (16, 16), 200)]
    data = saved(images[0], "MPO", save_all=True, append_images=images[1:], exif=block)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.n_frames) == ("MPO", 2)  # type: ignore[attr-defined]
    pixels = decode_image(data, 1)[:, :, 0]
    assert np.abs(pixels.astype(int) - TURNED).max() <= 30  # Pillow's quality is 75


def test_metadata_of_megabytes_is_passed_over() -> None:
    many = [segment(0xE1, b"Exif\0\0" + bytes(65000))] * 200
    assert_is(with_segments(JPEG, *many), HALVES)


@pytest.mark.parametrize("content", [b"Exif\0\0x", b"", b"ICC_PROFILE\0\1\1"])
def test_more_segments_than_a_picture_may_have_are_not_read(content: bytes) -> None:
    many = segment(0xE1, content) * MAX_SEGMENTS
    with pytest.raises(ImageError, match="more than 4096 segments"):
        decode_image(with_segments(JPEG, many), 1)


def test_more_tables_than_a_picture_needs_are_not_read() -> None:
    table = segment(0xDB, (b"\0" + b"\1" * 64) * 1000)
    with pytest.raises(ImageError, match="more than 65536 bytes of tables"):
        decode_image(with_segments(JPEG, table, table), 1)


# --- scans


def test_a_picture_of_some_scans_is_read() -> None:
    assert decode_image(progressive(64, 30), 1).shape == (64, 64, 1)


@pytest.mark.parametrize(
    ("side", "scans", "sentence"),
    [
        (4095, 20_000, "too many scans for 4095 x 4095 pixels"),
        (4095, 40, "too many scans for 4095 x 4095 pixels"),
        (64, 200, "more than 100 scans"),
    ],
)
def test_scans_are_counted_before_they_are_decoded(
    side: int, scans: int, sentence: str
) -> None:
    data = progressive(side, scans)
    start = time.process_time()
    with pytest.raises(ImageError, match=sentence):
        decode_image(data, 1)
    assert time.process_time() - start < 0.2  # Decoding the scans takes 0.4 to 250 s.


def test_a_picture_of_one_column_costs_as_much_as_its_blocks() -> None:
    data = progressive(1, 40)
    narrow = data.replace(struct.pack(">HH", 1, 1), struct.pack(">HH", 65500, 1), 1)
    assert decode_image(narrow, 1).shape == (65500, 1, 1)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_the_largest_progressive_picture_is_read(mode: str) -> None:
    image = Image.new(mode, (4096, 4096))
    data = saved(image, "JPEG", progressive=True, quality=95, subsampling=0)
    assert data.count(b"\xff\xda") >= 6
    assert decode_image(data, 1).shape == (4096, 4096, 1)


def test_bytes_behind_the_picture_are_no_scans() -> None:
    # Phones append a film there, and some files append a second picture.
    assert_is(JPEG + b"\xff\xda\0\x08" * 5000, HALVES)


def test_comments_are_no_scans() -> None:
    place = JPEG.index(b"\xff\xda")
    data = JPEG[:place] + segment(0xFE, b"\xff\xda" * 500) + JPEG[place:]
    assert_is(data, HALVES)


def test_restart_markers_are_no_scans() -> None:
    data = saved(Image.fromarray(HALVES), "JPEG", quality=100, restart_marker_blocks=1)
    assert b"\xff\xd0" in data
    assert_is(data, HALVES)


@pytest.mark.parametrize("bits", [2, 12, 16])
def test_samples_of_12_bits_are_refused(bits: int) -> None:
    place = JPEG.index(b"\xff\xc0") + 4
    with pytest.raises(ImageError, match="Invalid image"):
        decode_image(JPEG[:place] + bytes([bits]) + JPEG[place + 1 :], 1)


@pytest.mark.parametrize("frame", [0xC9, 0xCA, 0xC3])
def test_codes_that_no_browser_reads_are_refused(frame: int) -> None:
    """Seven kilobytes of such codes held seven scans of 16 Mpx, and took 0.8 s."""
    place = JPEG.index(b"\xff\xc0")
    other = JPEG[: place + 1] + bytes([frame]) + JPEG[place + 2 :]
    with pytest.raises(ImageError, match="arithmetic coding, or without losses"):
        decode_image(other, 1)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_bytes_that_only_fill_are_passed_over(count: int) -> None:
    """The standard allows any number of bytes FF before a marker (T.81, B.1.1.2)."""
    turned = exif(orientation(6))
    assert_is(with_segments(JPEG, b"\xff" * count + turned), TURNED)


@pytest.mark.parametrize(
    "data",
    [
        with_segments(JPEG, segment(0x02, b"reserved")),
        # A scan starts here before any frame has said how large the picture is.
        with_segments(JPEG, segment(0xDA, bytes(6))),
    ],
)
def test_markers_that_stand_in_no_header_are_refused(data: bytes) -> None:
    # The bytes are looked at without a decoder, because a decoder would refuse some of
    # them too.
    with pytest.raises(ImageError, match="damaged, cut short"):
        pixels_of(data)


# This comment looks like more scans than a picture may have. A decoder that counted its
# bytes as scans would refuse the picture.
SEEMING_SCANS = segment(0xFE, b"\xff\xda\0\2" * 101)
# TEM is a marker without a length.
ALONE = b"\xff\x01"


def test_markers_without_a_length_are_no_scans() -> None:
    assert_is(JPEG[:-2] + ALONE + SEEMING_SCANS + JPEG[-2:], HALVES)


def test_more_markers_between_scans_than_a_picture_may_have_are_not_read() -> None:
    data = JPEG[:-2] + SEEMING_SCANS + ALONE * MAX_SEGMENTS + JPEG[-2:]
    with pytest.raises(ImageError, match=f"more than {MAX_SEGMENTS} segments"):
        decode_image(data, 1)
