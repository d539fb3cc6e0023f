from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.containers.look import MAX_PIECES
from bundle.decode import decode_image
from bundle.errors import ImageError
from tests.pictures import (
    COLOUR,
    GRAY,
    PALETTE,
    chunk,
    orientation,
    png,
    png_of,
    tiff,
)

DICE = np.random.default_rng(7)
ROW = b"\0\x07\xf0"
PIXELS = [[[7], [240]]]
SIGNATURE_AND_HEADER = 33
END = 12


def transparent_case(
    bits: int, colour: int
) -> tuple[NDArray[Any], list[bytes], NDArray[np.uint8]]:
    """Return samples ``(13, 11, C)``, chunks, and the pixels ``(13, 11, 3)``.

    The standard gives the pixels: a sample s of b bits becomes s * 255 / (2^b - 1).
    Gray samples of 16 bits are rounded after that, and colour samples of 16 bits give
    their upper byte. Pixels that tRNS names are black.
    """
    most = (1 << bits) - 1
    samples = DICE.integers(0, most + 1, (13, 11, 3 if colour == COLOUR else 1))
    if colour == PALETTE:
        palette = DICE.integers(1, 256, (most + 1, 3), np.uint8)
        alpha = np.full(most + 1, 255)
        alpha[[0, most]] = 0
        seen = palette[samples[..., 0]] * (alpha[samples[..., 0]] > 0)[..., None]
        chunks = [
            chunk(b"PLTE", palette.tobytes()),
            chunk(b"tRNS", bytes(alpha.tolist())),
        ]
        return samples, chunks, seen.astype(np.uint8)
    chosen = samples[6, 5].copy()
    if bits == 16:
        # The neighbours differ only in the lower byte, and are not transparent.
        samples[0, :3] = chosen ^ 1
        samples[12, :3] = chosen
    elif bits < 8:
        samples[0, :3] = (chosen + 1) % (most + 1)
    if bits == 16 and colour == GRAY:
        bytes_ = np.rint(samples * 255 / 65535)
    else:
        bytes_ = samples >> 8 if bits == 16 else samples * (255 // most)
    hit = (samples == chosen).all(axis=2, keepdims=True)
    seen = np.broadcast_to(np.where(hit, 0, bytes_), (13, 11, 3))
    assert hit.any()
    assert not hit.all()
    return (
        samples,
        [chunk(b"tRNS", chosen.astype(">u2").tobytes())],
        seen.astype(np.uint8),
    )


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("bits", "colour"),
    [
        *[(bits, GRAY) for bits in (1, 2, 4, 8, 16)],
        *[(bits, PALETTE) for bits in (1, 2, 4, 8)],
        *[(8, COLOUR), (16, COLOUR)],
    ],
)
def test_transparency_lies_over_black(bits: int, colour: int, interlaced: bool) -> None:
    samples, chunks, seen = transparent_case(bits, colour)
    data = png_of(samples, bits, colour, *chunks, interlaced=interlaced)
    assert np.array_equal(decode_image(data, 3), seen)
    if colour == GRAY:
        assert np.array_equal(decode_image(data, 1), seen[:, :, :1])


@pytest.mark.parametrize("bits", [2, 4])
def test_of_a_transparent_value_the_lowest_bits_count(bits: int) -> None:
    data = png(1, 1, bits, GRAY, b"\0\xff", chunk(b"tRNS", b"\xff\xff"))
    assert decode_image(data, 1).tolist() == [[[0]]]


def test_transparency_of_a_picture_that_is_turned_turns_too() -> None:
    turned = chunk(b"eXIf", tiff(orientation(2)))
    rows = b"\0" + struct.pack(">6H", 1, 2, 3, 4 << 8, 5 << 8, 6 << 8)
    trns = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    data = png(2, 1, 16, COLOUR, rows, trns, turned)
    assert decode_image(data, 3).tolist() == [[[4, 5, 6], [0, 0, 0]]]


LARGE = 2_000_000
METADATA = {
    "a profile of 2 MB": chunk(b"iCCP", b"display\0\0" + zlib.compress(bytes(LARGE))),
    "a profile of no known compression": chunk(b"iCCP", b"display\0\7abc"),
    "zTXt of 2 MB": chunk(b"zTXt", b"flow\0\0" + zlib.compress(bytes(LARGE))),
    "zTXt of no known compression": chunk(b"zTXt", b"flow\0\7abc"),
    "iTXt of 2 MB": chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(LARGE))),
    "tEXt of 2 MB": chunk(b"tEXt", b"a\0" + b"b" * LARGE),
    "70 MB of texts": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000))) * 70,
    "a text that is called transparency": chunk(b"tEXt", b"transparency\0x"),
    "a text that is called exif": chunk(b"tEXt", b"exif\0x"),
    "a text that is called interlace": chunk(b"tEXt", b"interlace\0x"),
    "a damaged profile of EXIF": chunk(b"tEXt", b"Raw profile type exif\0\nexif\nzz"),
    "XMP that turns it": chunk(
        b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0tiff:Orientation="2"'
    ),
    "a wrong checksum": chunk(b"gAMA", bytes(4))[:-4] + b"abcd",
    "an unknown chunk": chunk(b"prVt", b"x" * 100),
    "an unknown chunk of no letters": chunk(b"\xff\0\xff\0", b"x" * 100),
    "gAMA of nothing": chunk(b"gAMA", b""),
    "gAMA of 0": chunk(b"gAMA", bytes(4)),
    "cHRM cut short": chunk(b"cHRM", b"abc"),
    "cHRM of nonsense": chunk(b"cHRM", b"\xff" * 32),
    "sRGB of nothing": chunk(b"sRGB", b""),
    "pHYs of nothing": chunk(b"pHYs", b""),
    "EXIF of nothing": chunk(b"eXIf", b""),
    "EXIF that loops": chunk(b"eXIf", tiff((0x8769, 4, 1, b"\x08\0\0\0"))),
    "acTL of nothing": chunk(b"acTL", b""),
    "fcTL of nothing": chunk(b"fcTL", b""),
    "a frame elsewhere": chunk(b"acTL", b"\0\0\0\1\0\0\0\0")
    + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9, 9, 9, 9, 0, 0, 0, 0)),
}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("name", METADATA)
def test_metadata_decides_nothing(name: str, where: str) -> None:
    data, extra = png(2, 1, 8, GRAY, ROW), METADATA[name]
    place = SIGNATURE_AND_HEADER if where == "before" else len(data) - END
    whole = data[:place] + extra + data[place:]
    assert decode_image(whole, 1).tolist() == PIXELS


def test_pixels_in_pieces_of_a_byte_are_read() -> None:
    data = png(2, 1, 8, GRAY, ROW)
    packed = zlib.compress(ROW)
    pieces = [chunk(b"IDAT", bytes([byte])) for byte in packed]
    parted = (
        data[:SIGNATURE_AND_HEADER] + chunk(b"IDAT", b"").join(pieces) + data[-END:]
    )
    assert decode_image(parted, 1).tolist() == PIXELS


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"iCCP", b"zTXt"])
def test_more_chunks_than_a_picture_may_have_are_not_read(kind: bytes) -> None:
    data = png(2, 1, 8, GRAY, ROW)
    many = chunk(kind, b"") * MAX_PIECES
    with pytest.raises(ImageError, match="more than 65536 chunks; open it in"):
        decode_image(
            data[:SIGNATURE_AND_HEADER] + many + data[SIGNATURE_AND_HEADER:], 1
        )


@pytest.mark.parametrize("kind", [b"tRNS", b"PLTE"])
def test_what_decides_over_pixels_must_be_whole(kind: bytes) -> None:
    wrong = chunk(kind, bytes(6))[:-4] + b"abcd"
    with pytest.raises(ImageError, match="damaged"):
        decode_image(png(2, 1, 8, GRAY, ROW, wrong), 1)


def test_a_file_too_small_for_its_pixels_takes_no_memory() -> None:
    data = png(4096, 4096, 16, 6, b"\0")
    assert len(data) < 100
    with pytest.raises(ImageError, match="cut short"):
        decode_image(data, 3)
