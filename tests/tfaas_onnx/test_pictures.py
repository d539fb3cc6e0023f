"""Pictures in each form that a caller may have."""

import io

import numpy as np
import pytest
from PIL import Image

from tfaas_onnx import WrongArgument
from tfaas_onnx.pictures import read_picture, to_png

RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((3, 5), "L"),
        ((3, 5, 1), "L"),
        ((3, 5, 2), "LA"),
        ((3, 5, 3), "RGB"),
        ((3, 5, 4), "RGBA"),
        ((1, 1), "L"),
    ],
)
def test_a_png_has_the_pixels_of_the_array(shape, mode):
    pixels = RANDOM.integers(0, 256, shape).astype(np.uint8)
    picture = Image.open(io.BytesIO(to_png(pixels)))
    assert (picture.format, picture.mode) == ("PNG", mode)
    assert np.array_equal(np.asarray(picture).reshape(shape), pixels)


def test_a_view_of_an_array_keeps_its_pixels():
    pixels = RANDOM.integers(0, 256, (6, 8, 3)).astype(np.uint8)[::2, ::-1]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(to_png(pixels)))), pixels)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((2, 2)), "holds float64; give uint8, 0 to 255"),
        (np.zeros((2, 2, 5), np.uint8), r"has the shape \(2, 2, 5\)"),
        (np.zeros((2,), np.uint8), r"has the shape \(2,\)"),
        (np.zeros((0, 2), np.uint8), r"has the shape \(0, 2\)"),
        (np.zeros((1, 2, 2, 1), np.uint8), "has the shape"),
    ],
)
def test_an_array_that_is_no_picture_is_a_sentence(pixels, words):
    with pytest.raises(WrongArgument, match=f"^picture {words}"):
        read_picture(pixels)


def test_files_and_bytes_are_sent_as_they_are(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    assert read_picture(tmp_path / "a.gif") == ("a.gif", b"GIF89a")
    assert read_picture(str(tmp_path / "a.gif")) == ("a.gif", b"GIF89a")
    assert read_picture(b"GIF89a") == ("picture", b"GIF89a")
    assert read_picture(memoryview(b"GIF89a")) == ("picture", b"GIF89a")


def test_a_pil_image_is_sent_as_png():
    picture = Image.new("RGB", (3, 2), (1, 2, 3))
    name, content = read_picture(picture)
    assert name == "picture.png"
    assert Image.open(io.BytesIO(content)).getpixel((2, 1)) == (1, 2, 3)


def test_what_is_no_picture_is_a_sentence(tmp_path):
    with pytest.raises(WrongArgument, match=r"nosuch\.png cannot be read: No such"):
        read_picture(tmp_path / "nosuch.png")
    with pytest.raises(WrongArgument, match="picture is list; give a path"):
        read_picture([[1, 2]])
