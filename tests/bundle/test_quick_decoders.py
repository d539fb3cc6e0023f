from __future__ import annotations

import contextlib
import importlib.util
import io
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, features

from bundle import quick_decoders
from bundle.containers import look_at
from bundle.decode import decode_image, shape_of
from bundle.errors import ImageError
from bundle.quick_decoders import (
    MAX_PNG_BYTES,
    decode_plain,
    decoders,
)
from tests.calls import profile
from tests.pictures import (
    COLOUR,
    COLOUR_ALPHA,
    GRAY,
    GRAY_ALPHA,
    PALETTE,
    chunk,
    exif,
    orientation,
    png,
    png_of,
    saved,
    segment,
    with_segments,
)

DICE = np.random.default_rng(5)
HEAD, END = 33, 12

needs_png = pytest.mark.skipif(
    decoders()["PNG"] == "Pillow", reason="pyspng is not installed"
)
needs_jpeg = pytest.mark.skipif(
    decoders()["JPEG"] == "Pillow", reason="simplejpeg is not installed"
)


@contextlib.contextmanager
def pillow_alone() -> Iterator[None]:
    """Decode as an installation without the quick libraries does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick_decoders, "_spng", None)
        patch.setattr(quick_decoders, "_simplejpeg", None)
        yield


def outcome(data: bytes, channels: int) -> Any:
    """Return the pixels and the shape of the header, or the error."""
    try:
        return decode_image(data, channels).tolist(), shape_of(data)
    except ImageError as ex:
        return str(ex)


def assert_same_as_pillow(data: bytes) -> None:
    for channels in (1, 3):
        quick = outcome(data, channels)
        with pillow_alone():
            assert quick == outcome(data, channels)


def is_quick(data: bytes) -> bool:
    seen = look_at(data)
    return bool(seen.plain_channels) and decode_plain(seen) is not None


# --- PNG


def filtered(pixels: NDArray[np.uint8], kinds: tuple[int, ...]) -> bytes:
    """Write ``(H, W, C)`` pixels in rows, each with the next of these filters."""
    height, width, channels = pixels.shape
    written = b""
    above = np.zeros(width * channels, int)
    for number in range(height):
        kind = kinds[number % len(kinds)]
        row = pixels[number].ravel().astype(int)
        left = np.concatenate([np.zeros(channels, int), row[:-channels]])
        corner = np.concatenate([np.zeros(channels, int), above[:-channels]])
        guess = left + above - corner
        far = [np.abs(guess - each) for each in (left, above, corner)]
        nearest = np.select(
            [(far[0] <= far[1]) & (far[0] <= far[2]), far[1] <= far[2]],
            [left, above],
            corner,
        )
        foretold = [np.zeros_like(row), left, above, (left + above) // 2, nearest]
        rest = (row - foretold[kind]) % 256
        written += bytes([kind]) + rest.astype(np.uint8).tobytes()
        above = row
    return written


def plain_png(
    height: int, width: int, channels: int, kinds: tuple[int, ...] = (0,)
) -> tuple[bytes, NDArray[np.uint8]]:
    pixels = DICE.integers(0, 256, (height, width, channels), np.uint8)
    colour = GRAY if channels == 1 else COLOUR
    return png(width, height, 8, colour, filtered(pixels, kinds)), pixels


@pytest.mark.parametrize(
    "kinds", [(0,), (1,), (2,), (3,), (4,), (0, 1, 2, 3, 4), (4, 3, 2, 1, 0)]
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (28, 28), (7, 33)])
def test_a_plain_png_has_its_pixels(
    size: tuple[int, int], channels: int, kinds: tuple[int, ...]
) -> None:
    data, pixels = plain_png(*size, channels, kinds)
    assert np.array_equal(decode_image(data, channels), pixels)
    assert shape_of(data)[2] == channels
    assert_same_as_pillow(data)


@needs_png
@pytest.mark.parametrize("channels", [1, 3])
def test_a_plain_png_is_decoded_quickly(channels: int) -> None:
    data, pixels = plain_png(28, 28, channels)
    seen = look_at(data)
    assert seen.plain_channels == channels
    got = decode_plain(seen)
    assert got is not None
    assert (got.dtype, got.shape) == (np.uint8, (28, 28, channels))
    assert np.array_equal(got, pixels)


def calls(function: Callable[[], object]) -> int:
    """Count the calls of Python's and C's functions, with those of the counter."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    profile(function, note)
    return count


@needs_png
def test_a_plain_png_takes_few_calls() -> None:
    data, _ = plain_png(28, 28, 1)
    decode_image(data, 1)
    assert calls(lambda: decode_image(data, 1)) <= 28
    with pillow_alone():
        assert calls(lambda: decode_image(data, 1)) > 100


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("bits", "colour", "channels"),
    [
        *[(bits, GRAY, 1) for bits in (1, 2, 4, 8, 16)],
        *[(bits, COLOUR, 3) for bits in (8, 16)],
        *[(bits, PALETTE, 1) for bits in (1, 2, 4, 8)],
        *[(bits, GRAY_ALPHA, 2) for bits in (8, 16)],
        *[(bits, COLOUR_ALPHA, 4) for bits in (8, 16)],
    ],
)
def test_every_kind_of_png_has_pillows_pixels(
    bits: int, colour: int, channels: int, interlaced: bool
) -> None:
    samples = DICE.integers(0, 1 << bits, (13, 11, channels))
    palette = DICE.integers(0, 256, 3 << bits if bits <= 8 else 0, np.uint8)
    chunks = [chunk(b"PLTE", palette.tobytes())] if colour == PALETTE else []
    data = png_of(samples, bits, colour, *chunks, interlaced=interlaced)
    plain = bits == 8 and colour in (GRAY, COLOUR) and not interlaced
    assert bool(look_at(data).plain_channels) is plain
    assert_same_as_pillow(data)


@pytest.mark.parametrize(
    ("more", "plain"),
    [
        *[(chunk(b"gAMA", struct.pack(">I", 45455)), True)],
        *[(chunk(b"sRGB", b"\0"), True), (chunk(b"pHYs", bytes(9)), True)],
        *[(chunk(b"iCCP", b"a\0\0" + zlib.compress(b"profile")), True)],
        *[(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"text")), True)],
        *[(chunk(b"tIME", bytes(7))[:-1] + b"?", True)],  # a wrong checksum
        *[(chunk(b"acTL", struct.pack(">II", 1, 0)), True)],
        *[(chunk(b"tRNS", bytes(6)), False), (chunk(b"PLTE", bytes(6)), False)],
    ],
)
def test_metadata_is_left_out_before_a_quick_decoder(more: bytes, plain: bool) -> None:
    data, _ = plain_png(9, 9, 3)
    data = data[:HEAD] + more + data[HEAD:]
    assert bool(look_at(data).plain_channels) is plain
    assert_same_as_pillow(data)


def test_a_picture_that_is_turned_is_left_to_pillow() -> None:
    data = saved(Image.fromarray(plain_png(3, 5, 3)[1]), "JPEG")
    turned = with_segments(data, exif(orientation(6)))
    assert decode_image(turned, 3).shape == (5, 3, 3)
    assert_same_as_pillow(turned)


def stream(rows: bytes) -> bytes:
    return chunk(b"IDAT", zlib.compress(rows))


PLAIN, PIXELS = plain_png(6, 5, 1, (4,))
ROWS = filtered(PIXELS, (4,))
PACKED = zlib.compress(ROWS)
UNENDED = zlib.compressobj()
BEGIN, LAST = PLAIN[:HEAD], PLAIN[-END:]
# Some of these are no damage for Pillow, and none of them may be one for us alone.
ODD = {
    "a wrong checksum of the header": PLAIN[: HEAD - 1] + b"?" + PLAIN[HEAD:],
    "a wrong checksum of the pixels": PLAIN[: -END - 1] + b"?" + LAST,
    "no end": PLAIN[:-END],
    "an end that is cut short": PLAIN[:-3],
    "bytes behind the end": PLAIN + b"more",
    "pixels in two chunks": BEGIN
    + chunk(b"IDAT", PACKED[:9])
    + chunk(b"IDAT", PACKED[9:])
    + LAST,
    "a row too few": BEGIN + stream(ROWS[:-6]) + LAST,
    "a byte too few": BEGIN + stream(ROWS[:-1]) + LAST,
    "a row too many": BEGIN + stream(ROWS + bytes(6)) + LAST,
    "a million bytes too many": BEGIN + stream(ROWS + bytes(1 << 20)) + LAST,
    "a filter of no number": BEGIN + stream(b"\5" + ROWS[1:]) + LAST,
    "no filter of the last row": BEGIN + stream(ROWS[:-6] + b"\xff" * 6) + LAST,
    "a wrong checksum of the rows": BEGIN
    + chunk(b"IDAT", PACKED[:-1] + bytes([PACKED[-1] ^ 1]))
    + LAST,
    "no checksum of the rows": BEGIN + chunk(b"IDAT", PACKED[:-4]) + LAST,
    "a stream without an end": BEGIN
    + chunk(b"IDAT", UNENDED.compress(ROWS) + UNENDED.flush(zlib.Z_SYNC_FLUSH))
    + LAST,
    "bytes behind the stream": BEGIN + chunk(b"IDAT", PACKED + b"more") + LAST,
    "a stream of another kind": BEGIN + chunk(b"IDAT", b"\0" + PACKED[1:]) + LAST,
    "no stream": BEGIN + chunk(b"IDAT", b"") + LAST,
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_png_has_the_same_pixels_or_the_same_error(name: str) -> None:
    assert ODD[name] != PLAIN
    assert_same_as_pillow(ODD[name])


@pytest.mark.parametrize(
    "name", ["a wrong checksum of the rows", "no stream", "a filter of no number"]
)
def test_a_damaged_png_is_refused(name: str) -> None:
    with pytest.raises(ImageError, match="damaged, cut short"):
        decode_image(ODD[name], 1)


@needs_png
def test_a_large_png_is_left_to_pillow() -> None:
    assert MAX_PNG_BYTES == 16384
    # One byte of each row is the filter's.
    most = saved(Image.new("L", (MAX_PNG_BYTES // 2 - 1, 2)))
    larger = saved(Image.new("L", (MAX_PNG_BYTES // 2, 2)))
    assert is_quick(most)
    assert not is_quick(larger)
    assert look_at(larger).plain_channels == 1
    assert_same_as_pillow(larger)


@needs_png
def test_a_stream_of_more_rows_than_the_picture_takes_no_memory() -> None:
    data = BEGIN + stream(ROWS + bytes(20 << 20)) + LAST
    assert len(data) < 30_000
    tracemalloc.start()
    try:
        assert not is_quick(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


# --- JPEG


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return a picture with soft edges, as JPEG has them."""
    coarse = DICE.integers(0, 256, (height // 3 + 1, width // 3 + 1, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height)).convert(mode)


@needs_jpeg
@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_plain_jpeg_is_decoded_quickly(mode: str, channels: int) -> None:
    image = Image.new(mode, (5, 4), (200,) * channels if channels > 1 else 200)
    seen = look_at(saved(image, "JPEG"))
    assert seen.plain_channels == channels
    got = decode_plain(seen)
    assert got is not None
    assert (got.dtype, got.shape) == (np.uint8, (4, 5, channels))
    assert np.unique(got).tolist() == [200]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (16, 16), (17, 33), (200, 150)])
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}),
        *({"quality": 1}, {"quality": 30}, {"quality": 100}, {"optimize": True}),
        *({"restart_marker_blocks": 1}, {"restart_marker_rows": 1}),
        *({"keep_rgb": True}, {"comment": b"text"}),
    ],
)
def test_a_baseline_jpeg_has_pillows_pixels(
    options: dict[str, Any], size: tuple[int, int], mode: str
) -> None:
    data = saved(photo(*size, mode), "JPEG", **options)
    assert look_at(data).plain_channels == (1 if mode == "L" else 3)
    assert is_quick(data) or decoders()["JPEG"] == "Pillow"
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode_image(data, 3), image.convert("RGB"))
        assert np.array_equal(decode_image(data, 1)[:, :, 0], image.convert("L"))
    assert shape_of(data)[2] == (1 if mode == "L" else 3)


@pytest.mark.parametrize(
    ("mode", "options"),
    [("CMYK", {}), ("L", {"progressive": True}), ("RGB", {"progressive": True})],
)
def test_other_kinds_of_jpeg_are_left_to_pillow(
    mode: str, options: dict[str, Any]
) -> None:
    data = saved(photo(40, 30, mode), "JPEG", **options)
    assert look_at(data).plain_channels == 0
    assert_same_as_pillow(data)


def test_a_jpeg_of_several_scans_is_left_to_pillow() -> None:
    # The scan has one component of three, and its two others have none.
    place = JPEG.index(b"\xff\xda")
    scan = segment(0xDA, bytes([1, 1, 0, 0, 63, 0]))
    data = JPEG[:place] + scan + JPEG[place + 14 :]
    assert JPEG[place + 2 : place + 5] == b"\0\x0c\3"
    assert look_at(data).plain_channels == 0
    assert_same_as_pillow(data)


@pytest.mark.parametrize("transform", [0, 1, 2])
def test_adobes_segment_tells_the_colours(transform: int) -> None:
    data = saved(photo(20, 10), "JPEG", keep_rgb=True)
    place = data.index(b"Adobe") + 11
    assert_same_as_pillow(data[:place] + bytes([transform]) + data[place + 1 :])


def test_a_jpeg_of_many_pieces_for_pillow_has_its_pixels() -> None:
    noise = Image.fromarray(DICE.integers(0, 256, (400, 400, 3), np.uint8))
    data = saved(noise, "JPEG", quality=95)
    assert len(data) > 2 * 65536  # Pillow's decoder gets 64 KiB at a time.
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode_image(data, 3), image)


JPEG = saved(photo(40, 40), "JPEG", quality=100)
SCAN = JPEG.index(b"\xff\xda")


@pytest.mark.parametrize(
    "data",
    [
        JPEG[:-2],
        JPEG[:-30],
        JPEG[: SCAN + 20] + JPEG[-2:],
        JPEG[: SCAN + 200] + b"\xff\xd3" + JPEG[SCAN + 200 :],
        JPEG[: SCAN + 200] + JPEG[SCAN + 300 :],
        JPEG[: SCAN + 14] + bytes(300) + JPEG[-2:],
        JPEG + b"more",
        JPEG + JPEG,
    ],
)
def test_an_odd_jpeg_has_the_same_pixels_or_the_same_error(data: bytes) -> None:
    assert_same_as_pillow(data)


@needs_jpeg
def test_a_jpeg_of_which_libjpeg_warns_is_left_to_pillow() -> None:
    # One block of zeros stands for those that are missing.
    seen = look_at(JPEG[: SCAN + 200] + JPEG[-2:])
    assert seen.plain_channels == 3
    assert decode_plain(seen) is None


# --- damage

VICTIMS = {
    "gray": PLAIN,
    "colour": plain_png(4, 5, 3, (1, 2, 3, 4))[0],
    "gray photo": saved(photo(17, 12, "L"), "JPEG"),
    "photo": saved(photo(17, 12), "JPEG", restart_marker_blocks=1),
}


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.filterwarnings("error")
@given(data=st.data())
def test_damage_has_the_same_pixels_or_the_same_error(
    victim: str, data: st.DataObject
) -> None:
    damaged = bytearray(VICTIMS[victim])
    places = st.integers(0, len(damaged) - 1)
    for place in data.draw(st.lists(places, max_size=3)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.just(len(damaged)), places))
    assert_same_as_pillow(bytes(damaged[:cut]) + data.draw(st.binary(max_size=4)))


@given(data=st.data())
def test_damaged_rows_have_the_same_pixels_or_the_same_error(
    data: st.DataObject,
) -> None:
    """Checksums are right here, so that damage reaches the decoders."""
    rows = bytearray(ROWS)
    for place in data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=2)):
        rows[place] = data.draw(st.integers(0, 255))
    rows = (
        rows[: data.draw(st.integers(0, len(rows)))]
        if data.draw(st.booleans())
        else rows
    )
    packed = bytearray(zlib.compress(bytes(rows), data.draw(st.integers(0, 9))))
    for place in data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=1)):
        packed[place] ^= data.draw(st.integers(1, 255))
    packed = packed[: len(packed) - data.draw(st.integers(0, 6))]
    assert_same_as_pillow(BEGIN + chunk(b"IDAT", bytes(packed)) + LAST)


# --- installations


def fresh(monkeypatch: pytest.MonkeyPatch, *missing: str) -> Any:
    """Import the module anew, without these modules."""
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    spec = importlib.util.find_spec("bundle.quick_decoders")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pillow_serves_alone_without_the_quick_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = fresh(monkeypatch, "pyspng", "simplejpeg")
    assert module.decoders() == {"PNG": "Pillow", "JPEG": "Pillow"}
    assert module.decode_plain(look_at(PLAIN)) is None
    assert module.decode_plain(look_at(JPEG)) is None


@needs_png
@needs_jpeg
def test_the_libraries_that_decode_are_told() -> None:
    assert decoders() == {"PNG": "pyspng", "JPEG": "simplejpeg"}
    with pillow_alone():
        assert decoders() == {"PNG": "Pillow", "JPEG": "Pillow"}


@needs_png
@needs_jpeg
def test_each_library_serves_without_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fresh(monkeypatch).decoders() == {"PNG": "pyspng", "JPEG": "simplejpeg"}
    with monkeypatch.context() as patch:
        module = fresh(patch, "pyspng")
        assert module.decoders() == {"PNG": "Pillow", "JPEG": "simplejpeg"}
    with monkeypatch.context() as patch:
        module = fresh(patch, "simplejpeg")
        assert module.decoders() == {"PNG": "pyspng", "JPEG": "Pillow"}


def test_another_libjpeg_in_pillow_decodes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Libraries other than libjpeg-turbo round differently."""
    monkeypatch.setattr(features, "check_feature", lambda name: False)
    assert fresh(monkeypatch).decoders()["JPEG"] == "Pillow"
