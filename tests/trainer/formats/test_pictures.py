"""Pictures of every mode become images of one form, and bad files are skipped."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.pictures import exif, orientation, png, saved, with_segments
from tests.trainer.examples import write_picture
from trainer.errors import DataError
from trainer.formats import Form
from trainer.formats.pictures import Album, Picture, read_pictures
from trainer.images import Images
from trainer.stored_images import StoredImages


def _read(folder: Path, form: Form | None = None, max_bytes: int = 1 << 30) -> Album:
    listed = [Picture(path, path.name) for path in sorted(folder.iterdir())]
    return read_pictures(folder, listed, form or Form(), max_bytes)


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


# --- modes

_ORANGE, _GRAY = (255, 128, 0), 0.299 * 255 + 0.587 * 128


def _orange(mode: str, form: str, **options: Any) -> bytes:
    return saved(Image.new("RGB", (12, 12), _ORANGE).convert(mode), form, **options)


@pytest.mark.parametrize(
    "content",
    [
        _orange("RGB", "PNG"),
        _orange("RGBA", "PNG"),
        _orange("P", "PNG"),
        _orange("P", "GIF"),
        _orange("RGB", "BMP"),
        _orange("RGB", "WEBP", lossless=True),
        _orange("RGB", "JPEG", quality=100),
        _orange("CMYK", "JPEG", quality=100),
    ],
    ids=["rgb", "rgba", "p", "gif", "bmp", "webp", "jpeg", "cmyk"],
)
def test_every_mode_of_colour_keeps_its_colour(tmp_path: Path, content: bytes) -> None:
    image = _read(_write(tmp_path, {"0": content})).images[0]
    assert image.shape == (12, 12, 3)
    # JPEG, and the palette of the web, change a colour a little.
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - _ORANGE).max() < 26


@pytest.mark.parametrize(
    ("mode", "white"), [("1", 1), ("L", 255), ("LA", (255, 255)), ("I;16", 65535)]
)
def test_every_mode_without_colour_is_gray(
    tmp_path: Path, mode: str, white: Any
) -> None:
    content = saved(Image.new(mode, (12, 12), white))
    image = _read(_write(tmp_path, {"0": content})).images[0]
    assert image.shape == (12, 12, 1)
    assert set(image.flat) == {255}


def test_colour_becomes_gray_if_gray_is_wanted(tmp_path: Path) -> None:
    _write(tmp_path, {"0": _orange("RGB", "PNG")})
    image = _read(tmp_path, Form(channels=1)).images[0]
    assert image.shape == (12, 12, 1)
    # ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B.
    assert abs(int(image[0, 0, 0]) - _GRAY) <= 1


def test_the_size_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    stored = np.zeros((12, 20), np.uint8)
    stored[:, 10:] = 255
    odd = exif(orientation(6), (0x010E, 5, 1, bytes(8)))
    data = with_segments(saved(Image.fromarray(stored), "JPEG", quality=100), odd)
    image = _read(_write(tmp_path, {"0": data})).images[0]
    assert image.shape == (20, 12, 1)
    # The left side is now at the top. One odd tag beside spoils nothing.
    assert image[:9].max() <= 3
    assert image[11:].min() >= 252


# --- files that cannot be read


def _pictures(folder: Path, count: int) -> Path:
    for number in range(count):
        write_picture(folder / f"{number:03}.png", number)
    return folder


def test_a_few_bad_files_are_skipped_and_named(tmp_path: Path) -> None:
    _pictures(tmp_path, 40)
    bad = {"007.png": b"hello", "031.png": (tmp_path / "031.png").read_bytes()[:40]}
    album = _read(_write(tmp_path, bad))
    expected = [number for number in range(40) if number not in (7, 31)]
    assert album.places.tolist() == expected
    assert album.images[:][:, 0, 0, 0].tolist() == expected
    assert album.notes == [
        "2 of 40 images cannot be read and were skipped: 007.png, 031.png"
    ]


def test_a_note_names_ten_bad_files(tmp_path: Path) -> None:
    _pictures(tmp_path, 280)
    _write(tmp_path, {f"{number:03}.png": b"" for number in range(0, 280, 20)})
    (note,) = _read(tmp_path).notes
    assert note.startswith("14 of 280 images cannot be read and were skipped: 000.png")
    assert note.endswith("160.png, 180.png and 4 more")


def test_more_than_a_twentieth_of_bad_files_is_refused(tmp_path: Path) -> None:
    _pictures(tmp_path, 40)
    _write(tmp_path, {f"{number:03}.png": b"x" for number in (5, 6, 7)})
    with pytest.raises(DataError) as caught:
        _read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: 3 of 40 images (7.5%) cannot be read, and at most 5% may be so;"
        " the first is 005.png: it is damaged, cut short, or not a PNG, JPEG, BMP, GIF"
        " or WEBP file; replace or remove them"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "it is damaged, cut short, or not a PNG"),
        (_orange("RGB", "TIFF"), "it is damaged, cut short, or not a PNG"),
        (_orange("RGB", "PNG")[:40], "it is damaged, cut short, or not a PNG"),
        (_orange("RGB", "JPEG")[:-60], "it is damaged, cut short, or not a PNG"),
        (png(5000, 5000, 1, 0, b""), "5000 x 5000 pixels are more than 16777216"),
    ],
    ids=["text", "tiff", "cut png", "cut jpeg", "large"],
)
def test_a_bad_file_is_named_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    _write(_pictures(tmp_path, 3), {"bad": content})
    with pytest.raises(DataError, match=f"1 of 4 images .* first is bad: {reason}"):
        _read(tmp_path)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (_pictures(tmp_path, 3) / "001.png").chmod(0)
    with pytest.raises(DataError, match=r"first is 001\.png: Permission denied"):
        _read(tmp_path)


def test_a_file_that_is_not_there_and_a_pipe_are_named(tmp_path: Path) -> None:
    (_pictures(tmp_path, 3) / "lost.png").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"lost\.png: No such file or directory"):
        _read(tmp_path)
    (tmp_path / "lost.png").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="first is pipe: it is no file"):
        _read(tmp_path)


# --- more pixels than memory


def test_pixels_beyond_the_bound_lie_on_disk_and_are_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(20):
        content = saved(Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8)))
        (tmp_path / f"{number:02}.png").write_bytes(content)
    held, stored = _read(tmp_path).images, _read(tmp_path, max_bytes=5000).images
    assert isinstance(held, np.ndarray)
    assert isinstance(stored, StoredImages)
    np.testing.assert_array_equal(stored[:], held)


def _peak(folder: Path, max_bytes: int) -> tuple[Images, int]:
    """Return the images, and the most bytes that Python and numpy held for them."""
    tracemalloc.start()
    try:
        return _read(
            folder, max_bytes=max_bytes
        ).images, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_pixels_beyond_the_bound_are_not_held(tmp_path: Path) -> None:
    for number in range(60):
        write_picture(tmp_path / f"{number:02}.png", number, size=(200, 100))
    pixels = 60 * 200 * 100
    _, held = _peak(tmp_path, pixels)
    stored, peak = _peak(tmp_path, pixels - 1)
    assert held > pixels
    # One thread decodes; a few pictures and their files are held at a time.
    assert peak < pixels / 4
    assert stored[59].max() == 59
